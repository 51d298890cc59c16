"""Counts add up, and read as Prometheus reads them."""

from __future__ import annotations

import re

from drifa.serving.counts import Counts


def test_requests_are_counted_by_route_and_status() -> None:
    counts = Counts()
    for status, seconds in ((200, 0.5), (200, 0.25), (422, 1.0)):
        counts.add("/v1/predict", status, seconds)
    text = counts.text(3)
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values == {
        'drifa_requests_total{route="/v1/predict",status="200"}': "2",
        'drifa_requests_total{route="/v1/predict",status="422"}': "1",
        'drifa_request_seconds_total{route="/v1/predict"}': "1.750000",
        "drifa_waiting": "3",
    }
    assert text.endswith("\n")
    assert all(re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [\d.]+", line) for line in text.splitlines())
