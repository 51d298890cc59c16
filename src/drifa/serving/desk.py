"""Where requests wait for their turn: one thread asks the networks, and those that wait meanwhile are its next batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
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
        self._crowd: list[tuple[Any, Future[Any]]] = []

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
        place = Place(self)
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
        with self._lock:
            dropped, self._crowd = self._crowd, []
        for _, work in dropped:
            work.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """The work of a job, which begins when those before it have ended."""
        return self._pool.submit(job)

    def join(self, item: Any, job: Callable[[list[Any]], Sequence[Any]]) -> Future[Any]:
        """The work of a job that takes all that wait for it at once, up to ``limits.batch``.

        Args:
            item: What is asked.
            job: Gives the answer to each of many items, or the exception that it raised; every caller gives the same one.
        """
        work: Future[Any] = Future()
        with self._lock:
            self._crowd.append((item, work))
        self._pool.submit(self._answer_crowd, job)
        return work

    def _answer_crowd(self, job: Callable[[list[Any]], Sequence[Any]]) -> None:
        with self._lock:
            some, self._crowd = self._crowd[: self.limits.batch], self._crowd[self.limits.batch :]
        some = [(item, work) for item, work in some if work.set_running_or_notify_cancel()]
        if not some:
            return
        try:
            answers = job([item for item, _ in some])
        except Exception as error:
            answers = [error] * len(some)
        for (_, work), answer in zip(some, answers, strict=True):
            if isinstance(answer, Exception):
                work.set_exception(answer)
            else:
                work.set_result(answer)

    def _count(self, change: int) -> None:
        # Work that outlives its request ends in the other thread.
        with self._lock:
            self.waiting += change


class Place:
    """A place in the queue of a :class:`Desk`.

    Args:
        desk: Whose.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._end = ExitStack()
        self._work: Future[Any] | None = None

    async def ask(self, job: Callable[[], T]) -> T:
        """What a job returns; the jobs of all requests run one after the other."""
        self._work = work = self._desk.submit(job)
        return await asyncio.wrap_future(work)

    async def ask_together(self, item: Any, job: Callable[[list[Any]], Sequence[Any]]) -> Any:
        """The answer to one of the items of a job, see :meth:`Desk.join`."""
        self._work = work = self._desk.join(item, job)
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
