"""What a server counts: requests by route and status, seconds, and those that wait, as text for Prometheus."""

from __future__ import annotations

from collections import Counter, defaultdict
from threading import Lock


class Counts:
    """Numbers since the start; they tell nothing of any one request."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, route: str, status: int, seconds: float) -> None:
        """Counts a request.

        Args:
            route: One of few, never what a client made up.
            status: Of the response.
            seconds: That it took.
        """
        with self._lock:
            self._requests[route, status] += 1
            self._seconds[route] += seconds

    def text(self, waiting: int) -> str:
        """In the text format of Prometheus.

        Args:
            waiting: Requests that are there now.
        """
        with self._lock:
            requests, seconds = sorted(self._requests.items()), sorted(self._seconds.items())
        lines = ["# HELP drifa_requests_total Requests by route and status.", "# TYPE drifa_requests_total counter"]
        lines += [f'drifa_requests_total{{route="{route}",status="{status}"}} {count}' for (route, status), count in requests]
        lines += ["# HELP drifa_request_seconds_total Seconds spent on requests.", "# TYPE drifa_request_seconds_total counter"]
        lines += [f'drifa_request_seconds_total{{route="{route}"}} {spent:.6f}' for route, spent in seconds]
        lines += ["# HELP drifa_waiting Cases being answered or waiting.", "# TYPE drifa_waiting gauge"]
        return "\n".join([*lines, f"drifa_waiting {waiting}", ""])
