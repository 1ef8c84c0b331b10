"""What is made once for a whole run of the tests, whose workers share it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from filelock import FileLock

from kolektor_cli.core.inspection import inspect
from kolektor_cli.raw.scan import Scan
from tests import running

if TYPE_CHECKING:
    from tests.forks import Forks

MakeOnce: TypeAlias = Callable[[str, Callable[[Path], object]], Path]
"""Has a path made under a name by the first worker that asks for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take long: no worker is left with one when all else is done."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def forks() -> Forks:
    """Hold the process that runs kolektor in forks of itself, or skip."""
    pytest.importorskip("resource", reason="needs a system with limits and signals")
    return running.forks()


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Make a file or folder at the path that is given, once for all workers."""
    base = tmp_path_factory.getbasetemp()
    # That of a worker of xdist lies in that of the whole run.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name: str, write: Callable[[Path], object]) -> Path:
        with FileLock(shared / f"{name}.lock"):
            if not (shared / name).exists():
                write(shared / f"unfinished-{name}")
                (shared / f"unfinished-{name}").rename(shared / name)
        return shared / name

    return make


@pytest.fixture(scope="session")
def real_scan(real: Path, make_once: MakeOnce) -> Scan:
    """Hold the scan of the real dataset."""
    made = make_once("real-scan", lambda path: path.write_bytes(pickle.dumps(inspect(real).scan)))
    scan = pickle.loads(made.read_bytes())
    assert isinstance(scan, Scan)
    return scan


@pytest.fixture(scope="session")
def real_data(real: Path, make_once: MakeOnce) -> Path:
    """Hold the folder with the tree that the real dataset is converted to by default."""
    return make_once("real-data", lambda path: running.run("convert", real, path))
