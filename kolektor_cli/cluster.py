"""A Dask cluster as an executor, for output on storage that all its workers share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager

from kolektor_cli.errors import KolektorError, UsageError

_PATIENCE = 10
"""Seconds in which a scheduler must answer."""


@contextmanager
def dask_cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a cluster by its scheduler's address; give its executor and number of threads.

    What a lost worker had to do, the cluster has another one do.

    Raises
    ------
    UsageError
        Dask is not installed.
    KolektorError
        There is no cluster at the address or it has no worker, or work was lost for good.
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
        message = f"{address}: there is no Dask scheduler to be reached: {error}"
        raise KolektorError(message) from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise KolektorError(f"{address}: the Dask cluster has no worker; start some")
        try:
            with client.get_executor() as executor:
                yield executor, threads
        except (KilledWorker, CancelledError) as error:
            message = f"{address}: the Dask cluster lost work for good: {error!r}"
            raise KolektorError(message) from error
