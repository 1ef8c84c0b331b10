"""Parallel work: in order, bounded, and at an end when it fails."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, overload

import pytest

from kolektor_cli.io.parallel import default_jobs, parallel_map

PATIENCE = 30
"""Seconds after which a test that hangs fails."""

any_jobs = pytest.mark.parametrize("jobs", [1, 2, 7, None])


class Watched(Sequence[int]):
    """The numbers up to a total, and how far they have been asked for."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.asked = 0

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return range(self.total)[index]

    def __iter__(self) -> Iterator[int]:
        for number in range(self.total):
            self.asked += 1
            yield number


class BrokenError(Exception):
    """What the work raises."""


@any_jobs
def test_results_come_in_the_order_of_the_items(jobs: int | None) -> None:
    assert parallel_map(str, range(100), jobs) == [str(number) for number in range(100)]


@pytest.mark.parametrize("number", [0, 1, 15, 100, 10_000])
def test_executor_gets_many_items_in_few_tasks(number: int) -> None:
    tasks = 0

    class Counting(ThreadPoolExecutor):
        def submit(self, *args: Any, **named: Any) -> Future[Any]:
            nonlocal tasks
            tasks += 1
            return super().submit(*args, **named)

    told: list[int] = []
    with Counting(2) as executor:
        results = parallel_map(
            str, range(number), 2, lambda done, _: told.append(done), executor=executor
        )
    assert results == [str(item) for item in range(number)]
    assert told == [*range(1, number + 1)]
    assert tasks == {0: 0, 1: 1, 15: 15, 100: 17, 10_000: 313}[number]


def test_results_come_in_order_when_the_last_is_done_first() -> None:
    done = [threading.Event() for _ in range(5)]
    done[4].set()

    def wait_for_the_next(number: int) -> int:
        if number < 4:
            assert done[number + 1].wait(PATIENCE)
        done[number].set()
        return number

    assert parallel_map(wait_for_the_next, range(5), jobs=5) == [0, 1, 2, 3, 4]


@any_jobs
def test_progress_is_told_once_an_item(jobs: int | None) -> None:
    told: list[tuple[int, int]] = []
    parallel_map(str, range(30), jobs, lambda done, total: told.append((done, total)))
    assert told == [(done, 30) for done in range(1, 31)]


def test_nothing_to_do_gives_nothing_and_tells_no_progress() -> None:
    told: list[tuple[int, int]] = []
    assert parallel_map(str, [], 3, lambda done, total: told.append((done, total))) == []
    assert told == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_as_many_items_as_jobs_are_worked_on_at_a_time(jobs: int) -> None:
    together = threading.Barrier(jobs)
    lock = threading.Lock()
    busy, most = 0, 0

    def work(_: int) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        together.wait(PATIENCE)
        with lock:
            busy -= 1

    parallel_map(work, range(4 * jobs), jobs)
    assert most == jobs


@pytest.mark.parametrize("jobs", [1, 3])
def test_items_are_asked_for_only_a_few_ahead_of_those_done(jobs: int) -> None:
    items = Watched(200)
    ahead: list[int] = []
    parallel_map(str, items, jobs, lambda done, _: ahead.append(items.asked - done))
    assert items.asked == 200
    assert jobs <= max(ahead) <= 4 * jobs


def test_first_exception_in_the_order_of_the_items_is_raised() -> None:
    later_failed = threading.Event()

    def fail(number: int) -> None:
        if number == 3:
            assert later_failed.wait(PATIENCE)
            raise BrokenError("first")
        if number == 5:
            later_failed.set()
            raise BrokenError("later")

    with pytest.raises(BrokenError, match="first"):
        parallel_map(fail, range(10), jobs=2)


def test_progress_is_told_up_to_the_item_that_fails() -> None:
    told: list[int] = []

    def fail(number: int) -> None:
        if number == 20:
            raise BrokenError

    with pytest.raises(BrokenError):
        parallel_map(fail, range(100), 2, lambda done, _: told.append(done))
    assert told == list(range(1, 21))


def test_no_item_is_asked_for_once_one_has_failed() -> None:
    items = Watched(1000)

    def fail(number: int) -> None:
        if number == 50:
            raise BrokenError

    with pytest.raises(BrokenError):
        parallel_map(fail, items, jobs=2)
    assert items.asked <= 50 + 4 * 2


def test_work_under_way_is_ended_and_work_not_begun_is_dropped_when_one_fails() -> None:
    never = threading.Event()
    begun: list[int] = []
    ended: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise BrokenError
        never.wait(0.5)
        ended.append(number)

    with pytest.raises(BrokenError):
        parallel_map(work, range(100), jobs=1)
    assert begun in ([0], [0, 1])
    assert ended == begun[1:]


def test_exception_from_progress_is_raised_and_ends_the_work() -> None:
    items = Watched(1000)

    def interrupt(done: int, _: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel_map(str, items, 2, interrupt)
    assert items.asked <= 10 + 4 * 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen")
def test_default_jobs_counts_only_the_processors_that_may_be_used() -> None:
    allowed = os.sched_getaffinity(0)
    assert default_jobs() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert default_jobs() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_default_jobs_are_used_where_none_are_given() -> None:
    threads: set[int] = set()
    together = threading.Barrier(default_jobs())

    def work(_: int) -> None:
        threads.add(threading.get_ident())
        together.wait(PATIENCE)

    parallel_map(work, range(3 * default_jobs()))
    assert len(threads) == default_jobs()
