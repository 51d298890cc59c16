"""The gate before every route: who may ask, how large a request may be, what leaves with a response, what is logged."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drifa.serving.counts import Counts
from drifa.serving.limits import Limits, Refusal, admits
from drifa.serving.page import FILES

#: Routes that hold no data of anybody, for browsers and for those who look whether a server is alive.
OPEN = (*FILES, "/health")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
#: Status -> header that goes with it.
WITH_REFUSALS = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "5"}, 503: {"Retry-After": "30"}}
_log = logging.getLogger("drifa.serving")


class Gate:
    """ASGI middleware. It logs the id, the time and the status of a request, and nothing else of it.

    Args:
        app: What lies behind.
        limits: How large a request may be.
        counts: Where requests are counted.
        token: What clients must say; None for nothing.
        hosts: The only names under which browsers may know the server, against pages that take over its address; empty
            for any.
    """

    def __init__(self, app: ASGIApp, limits: Limits, counts: Counts, token: str | None, hosts: Collection[str] = ()) -> None:
        self.app, self.limits, self.counts, self.token, self.hosts = app, limits, counts, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, number, passed = time.monotonic(), secrets.token_hex(6), _Passed(self.limits.body)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                passed.status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers["X-Request-ID"] = number
            await send(message)

        async def receiving() -> Message:
            return passed.counted(await receive())

        try:
            self._check(scope)
            await self.app(scope, receiving, sending)
        except ClientDisconnect:
            passed.status = passed.status or 499
        except Refusal as refusal:
            await refused(refusal)(scope, receive, sending)
        except Exception as error:  # whatever failed, its message may hold what a client sent
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "nowhere"
            _log.error(f"request {number} failed with {type(error).__name__} at {where}")
            failure = Refusal(500, "internal", f"the server failed; its log has the place under request {number}")
            if not passed.status:
                await refused(failure)(scope, receive, sending)
        finally:
            seconds = time.monotonic() - start
            self.counts.add(getattr(scope.get("route"), "path", "other"), passed.status, seconds)
            _log.info(f"request {number} {passed.status} {seconds:.3f} s")

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if self.hosts and name not in self.hosts:
            raise Refusal(421, "host", f"this server is not known as that; ask it at {' or '.join(sorted(self.hosts))}")
        if scope["path"] not in OPEN and not admits(self.token, headers.get("authorization", "").encode("latin-1")):
            raise Refusal(401, "token", "the token is missing or wrong; send the header 'Authorization: Bearer TOKEN'")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.limits.body:
            raise too_large(self.limits.body)


class _Passed:
    """What has come and gone of one request."""

    def __init__(self, most: int) -> None:
        self.most, self.size, self.status = most, 0, 0

    def counted(self, message: Message) -> Message:
        self.size += len(message.get("body", b""))
        if self.size > self.most:
            raise too_large(self.most)
        return message


def too_large(most: int) -> Refusal:
    """For a request of more than so many bytes."""
    return Refusal(413, "size", f"the request is larger than {most / 2**20:g} MiB, the most that is taken; send smaller files")


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response that says so.

    Args:
        refusal: Why.
        headers: Of this response, beside those of its status.
    """
    return JSONResponse(refusal.to_json(), refusal.status, {**WITH_REFUSALS.get(refusal.status, {}), **(headers or {})})
