"""Parallel work in threads or on a Dask cluster, with results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from functools import partial
from typing import TypeAlias, TypeVar

from kolektor_cli.errors import KolektorError, LimitError, UsageError

_PATIENCE = 10
"""Seconds to wait for a scheduler's answer."""

_ENOUGH_THREADS = 16
"""Threads that keep a slow disk or a network busy, on however few processors."""

_MOST_BUNDLED = 32
"""The most items that an executor gets at a time: a scheduler takes milliseconds for each task."""

Item = TypeVar("Item")

Result = TypeVar("Result")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of finished items and the total number."""


def no_progress(done: int, total: int) -> None:
    """Do nothing."""


def default_jobs() -> int:
    """Return the number of processors that this process may run on."""
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
    """Return ``function(item)`` for each item, in the order of the items; see `parallel_iter`."""
    with closing(parallel_iter(function, items, jobs, progress, executor)) as results:
        return list(results)


def parallel_iter(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int | None = None,
    progress: Progress = no_progress,
    executor: Executor | None = None,
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for each item, in the order of the items, from `jobs` threads.

    Who may leave it before its end must close it: then waiting work is dropped, and running work
    waited for.

    There are never more than 16 threads, or two a processor: more take memory and help nothing.

    Threads suffice, because decoding, hashing, deflating and writing release the interpreter's
    lock. On errors, raises the first in the order of the items, after it has dropped waiting work
    and waited for running work, so that the caller can remove its files.

    An `executor` replaces the threads, with work for `jobs` of them, and stays open. If it runs in
    other processes, function, items and results are pickled. It gets several of many items at a
    time.

    Raises
    ------
    LimitError
        A thread cannot be started.
    """
    jobs = jobs or default_jobs()
    done = 0
    with closing(_bundles(function, items, jobs, executor)) as bundles:
        for bundle in bundles:
            for result in bundle:
                yield result
                done += 1
                progress(done, len(items))


def _bundles(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int,
    executor: Executor | None,
) -> Generator[Sequence[Result], None, None]:
    """Yield the results of one item after the other; with an executor, of several at a time."""
    if executor is None:
        jobs = min(jobs, max(_ENOUGH_THREADS, 2 * default_jobs()))
        with ThreadPoolExecutor(jobs) as pool:
            yield from _in_order(pool, partial(_each, function), ((i,) for i in items), jobs)
        return
    size = max(1, min(_MOST_BUNDLED, len(items) // (8 * jobs)))
    bundles = (items[start : start + size] for start in range(0, len(items), size))
    yield from _in_order(executor, partial(_each, function), bundles, jobs)


def _each(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [function(item) for item in items]


def _in_order(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(_submit(executor, function, item))
            # A queue of a few items for each thread keeps all threads busy.
            while len(pending) >= 4 * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        wait([future for future in pending if not future.cancel()])


def _submit(executor: Executor, function: Callable[[Item], Result], item: Item) -> Future[Result]:
    try:
        return executor.submit(function, item)
    except RuntimeError as error:
        raise LimitError("a thread cannot be started; use fewer --jobs") from error


@contextmanager
def dask_cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to the cluster of a scheduler's address; yield its executor and number of threads.

    The cluster repeats the work of a lost worker on another one.

    Raises
    ------
    UsageError
        Dask is not installed.
    KolektorError
        No cluster answers at the address, it has no worker, or it lost work for good.
    """
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        message = "--dask needs Dask; install it with: pip install 'kolektor-cli[dask]'"
        raise UsageError(message) from error
    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        message = f"{address}: no Dask scheduler answers: {error}"
        raise KolektorError(message) from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise KolektorError(f"{address}: the Dask cluster has no worker; start one")
        try:
            with client.get_executor() as executor:
                yield executor, threads
        except (KilledWorker, CancelledError) as error:
            message = f"{address}: the Dask cluster lost work: {error!r}"
            raise KolektorError(message) from error
