"""Requests wait for their turn, a limited number, for a limited time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from drifa.serving.desk import Desk
from drifa.serving.limits import Limits, Refusal


def test_jobs_run_one_after_the_other() -> None:
    desk, inside, most = Desk(Limits()), 0, 0

    def job() -> str:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        inside -= 1
        return threading.current_thread().name

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(desk.ask(job) for _ in range(50)))

    assert (len(set(asyncio.run(all_of_them()))), most) == (1, 1)
    desk.close()


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


def test_a_desk_that_closes_takes_nobody() -> None:
    desk = Desk(Limits())
    desk.close()

    async def late() -> None:
        async with desk.place():
            pass

    with pytest.raises(Refusal, match="shutting down"):
        asyncio.run(late())
