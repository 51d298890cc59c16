"""Where requests wait for their turn: one thread asks the networks, so that answers never mix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from drifa.serving.limits import Limits, Refusal

T = TypeVar("T")


class Desk:
    """Takes requests in the order in which they come, a limited number of them, for a limited time.

    Args:
        limits: How many, and for how long.

    Attributes:
        waiting: Requests that are there now.
        closing: No more are taken.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.waiting = 0
        self.closing = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="drifa-answers")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place in the queue, held from before a request is read until it is answered.

        Raises:
            Refusal: The server ends (503), all places are taken (429), or it took too long (503).
        """
        if self.closing:
            raise Refusal(503, "closing", "the server is shutting down; ask it again when it is back")
        if self.waiting >= self.limits.waiting:
            raise Refusal(429, "busy", f"{self.waiting} requests are waiting already, the most that are taken; ask again later")
        self.waiting += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                yield
        except TimeoutError:
            raise Refusal(
                503, "timeout", f"no answer within {self.limits.seconds:g} seconds; ask again later, or with smaller files"
            ) from None
        finally:
            self.waiting -= 1

    async def ask(self, job: Callable[[], T]) -> T:
        """What a job returns; the jobs of all requests run one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, job)

    def close(self) -> None:
        """Takes no more, and drops what has not begun."""
        self.closing = True
        self._pool.shutdown(wait=True, cancel_futures=True)
