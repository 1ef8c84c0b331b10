"""Work on several items at a time, with results in order and progress told."""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import TypeAlias, TypeVar

from kolektor_cli.errors import LimitError

Item = TypeVar("Item")
Result = TypeVar("Result")

_THREAD_BYTES = 2**25
"""What a thread needs at least, 32 MiB: 8 of stack, and the buffers of an image."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of items done and their total."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


def default_jobs() -> int:
    """Count the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parallel_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int | None = None,
    progress: Progress = no_progress,
    executor: Executor | None = None,
) -> list[Result]:
    """Return ``function(item)`` for each item, in the order of the items, from `jobs` threads.

    Threads serve because decoding, hashing, deflating and writing all release the interpreter's
    lock. The first exception, in the order of the items, is raised; work not yet begun is then
    dropped, and work under way has ended when this returns, so its files can be removed.

    Another `executor` may do the work, `jobs` items at a time; it is left open. Where that is in
    other processes, function, items and results go there and back pickled.

    Raises
    ------
    LimitError
        A thread cannot be started, or there is no memory for them all.
    """
    jobs = jobs or default_jobs()
    if executor is None:
        _require_memory(jobs)
    results: list[Result] = []
    pending: deque[Future[Result]] = deque()
    with nullcontext(executor) if executor else ThreadPoolExecutor(jobs) as pool:
        try:
            for item in items:
                pending.append(_submit(pool, function, item))
                # A queue a few times as long as the number of threads keeps them all busy.
                if len(pending) >= 4 * jobs:
                    results.append(pending.popleft().result())
                    progress(len(results), len(items))
            while pending:
                results.append(pending.popleft().result())
                progress(len(results), len(items))
        finally:
            wait([future for future in pending if not future.cancel()])
    return results


def _require_memory(jobs: int) -> None:
    """Ask for the address space that threads need, and give it back untouched.

    A thread that finds no memory as it begins dies, and Python waits for its beginning forever.
    """
    try:
        mmap.mmap(-1, jobs * _THREAD_BYTES).close()
    except OSError as error:
        raise LimitError(f"memory ran out for {jobs} threads; use fewer --jobs") from error


def _submit(executor: Executor, function: Callable[[Item], Result], item: Item) -> Future[Result]:
    try:
        return executor.submit(function, item)
    except RuntimeError as error:
        raise LimitError(f"a thread cannot be started: {error}; use fewer --jobs") from error
