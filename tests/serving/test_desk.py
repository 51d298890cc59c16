"""Requests wait for their turn, a limited number, for a limited time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from drifa.serving.desk import Desk
from drifa.serving.limits import Limits, Refusal


def test_jobs_run_one_after_the_other() -> None:
    desk, inside, most = Desk(Limits(waiting=50)), 0, 0

    def job() -> str:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        inside -= 1
        return threading.current_thread().name

    async def one() -> str:
        async with desk.place() as place:
            return await place.ask(job)

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(one() for _ in range(50)))

    assert (len(set(asyncio.run(all_of_them()))), most) == (1, 1)
    desk.close()


def test_who_waits_together_is_answered_together_and_an_error_is_of_one_alone() -> None:
    desk, begun, may_go, batches = Desk(Limits(waiting=50, batch=3)), threading.Event(), threading.Event(), []

    def job(items: list[int]) -> list[int | Exception]:
        batches.append(items)
        begun.set()
        may_go.wait()
        return [ValueError("five") if item == 5 else 10 * item for item in items]

    async def one(item: int) -> object:
        async with desk.place() as place:
            return await place.ask_together(item, job)

    async def all_of_them() -> list[object]:
        first = asyncio.create_task(one(0))
        while not begun.is_set():
            await asyncio.sleep(0)
        rest = [asyncio.create_task(one(item)) for item in range(1, 8)]
        while desk.waiting < 8:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        rest[6].cancel()
        may_go.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    found = asyncio.run(all_of_them())
    desk.close()
    assert batches == [[0], [1, 2, 3], [4, 5, 6]]
    assert found[:5] + found[6:7] == [0, 10, 20, 30, 40, 60]
    assert isinstance(found[5], ValueError)
    assert isinstance(found[7], asyncio.CancelledError)
    assert desk.waiting == 0


def test_a_place_is_free_again_after_an_answer_an_error_and_a_delay() -> None:
    desk = Desk(Limits(waiting=1, seconds=0.01))

    async def tried() -> list[int]:
        found = []
        async with desk.place():
            with pytest.raises(Refusal) as refusal:
                async with desk.place():
                    pass
            found.append(refusal.value.status)
        with pytest.raises(ValueError, match="mine"):
            async with desk.place():
                raise ValueError("mine")
        with pytest.raises(Refusal) as refusal:
            async with desk.place():
                await asyncio.Event().wait()
        return [*found, refusal.value.status, desk.waiting]

    assert asyncio.run(tried()) == [429, 503, 0]
    desk.close()


def test_a_place_is_held_until_the_work_has_ended_and_work_that_waited_too_long_never_begins() -> None:
    desk, begun, may_end, ended = Desk(Limits(waiting=2, seconds=0.01)), threading.Event(), threading.Event(), []

    def long() -> None:
        begun.set()
        may_end.wait()
        ended.append("long")

    async def late(job: Callable[[], object], name: str) -> None:
        async with desk.place() as place:
            place.at_end(lambda: ended.append(f"{name} left"))
            await place.ask(job)

    async def until_begun() -> None:
        begun.wait()  # in the thread of the loop, where no time runs out meanwhile

    async def asked() -> None:
        with pytest.raises(Refusal, match="no answer within"):
            await asyncio.gather(late(long, "long"), until_begun())
        assert (desk.waiting, ended) == (1, [])
        with pytest.raises(Refusal, match="no answer within"):
            await late(lambda: ended.append("never"), "never")
        assert (desk.waiting, ended) == (1, ["never left"])
        desk.limits = Limits(waiting=1)
        with pytest.raises(Refusal, match="1 requests are waiting"):
            await late(lambda: ended.append("refused"), "refused")
        desk.limits = Limits(waiting=2)
        may_end.set()
        await late(lambda: ended.append("next"), "next")

    asyncio.run(asked())
    desk.close()
    assert (desk.waiting, ended) == (0, ["never left", "long", "long left", "next", "next left"])


def test_a_desk_that_closes_takes_nobody() -> None:
    desk = Desk(Limits())
    desk.close()

    async def late() -> None:
        async with desk.place():
            pass

    with pytest.raises(Refusal, match="shutting down"):
        asyncio.run(late())
