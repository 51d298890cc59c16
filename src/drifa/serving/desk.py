"""Where requests wait for their turn: one thread asks the networks, so that answers never mix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from threading import Lock
from typing import Any, TypeVar

from drifa.serving.limits import Limits, Refusal

T = TypeVar("T")


class Desk:
    """Takes requests in the order in which they come, a limited number of them, for a limited time.

    Args:
        limits: How many, and for how long.

    Attributes:
        waiting: Requests that are there now, and those whose work goes on though their time is over.
        closing: No more are taken.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.waiting = 0
        self.closing = False
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="drifa-answers")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place in the queue, held from before a request is read until it is answered and nothing works for it any more.

        Raises:
            Refusal: The server ends (503), all places are taken (429), or it took too long (503).
        """
        if self.closing:
            raise Refusal(503, "closing", "the server is shutting down; ask it again when it is back")
        if self.waiting >= self.limits.waiting:
            raise Refusal(429, "busy", f"{self.waiting} requests are waiting already, the most that are taken; ask again later")
        self._count(1)
        place = Place(self._pool)
        place.at_end(lambda: self._count(-1))
        try:
            async with asyncio.timeout(self.limits.seconds):
                yield place
        except TimeoutError:
            raise Refusal(
                503, "timeout", f"no answer within {self.limits.seconds:g} seconds; ask again later, or with smaller files"
            ) from None
        finally:
            place.leave()

    def close(self) -> None:
        """Takes no more, and drops what has not begun."""
        self.closing = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _count(self, change: int) -> None:
        # Work that outlives its request ends in the other thread.
        with self._lock:
            self.waiting += change


class Place:
    """A place in the queue of a :class:`Desk`.

    Args:
        pool: Its one thread.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._end = ExitStack()
        self._work: Future[Any] | None = None

    async def ask(self, job: Callable[[], T]) -> T:
        """What a job returns; the jobs of all requests run one after the other."""
        self._work = work = self._pool.submit(job)
        return await asyncio.wrap_future(work)

    def at_end(self, call: Callable[[], object]) -> None:
        """Calls this when the request is over and its job is not running: what is told last is called first."""
        self._end.callback(call)

    def leave(self) -> None:
        """Frees the place: at once, and a job that has not begun never begins; or when the running job ends."""
        if self._work is None:
            self._end.close()
        else:
            self._work.cancel()
            self._work.add_done_callback(lambda work: self._end.close())
