"""Killed at any moment: the source, the old tree and the new one are whole, and the next run is.

Runs are real processes and are killed by SIGKILL, at random moments and at each single call to
the file system that a run ends with.
"""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="needs a system with limits and signals")

from kolektor_cli.checks.run import verify_tree
from tests.conftest import MakeDataset, snapshot
from tests.end_to_end.forks import Forks

MOMENTS = 100
OPTIONS = ("-q", "--size", "20x30", "-j", "2")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as running:
        yield running


@pytest.fixture
def source(make_dataset: MakeDataset) -> Path:
    """Hold 24 small samples."""
    return make_dataset(items=3, parts=8)


def state(folder: Path) -> Mapping[str, tuple[object, ...]]:
    """Describe all in a folder by what changes with it: contents, times, identity."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        times = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
        found[str(path)] = (*times, path.read_bytes() if path.is_file() else None)
    return found


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


Tree = Mapping[str, bytes]


@pytest.fixture
def trees(forks: Forks, source: Path, tmp_path: Path) -> tuple[Tree, Tree]:
    """Hold the trees of seed 0 and of seed 1."""
    for seed in (0, 1):
        place = tmp_path / f"tree{seed}"
        assert forks.run("convert", source, place, *OPTIONS, "--seed", seed).code == 0
        assert verify_tree(place / "metal").ok
    first, second = (snapshot(tmp_path / f"tree{seed}/metal") for seed in (0, 1))
    assert first != second
    return first, second


def tree_at(out: Path) -> Tree | None:
    """Read the category folder, beside which nothing but unfinished work may be."""
    assert set(names_in(out)) <= {"metal", ".metal.unfinished"}
    return snapshot(out / "metal") if (out / "metal").exists() else None


def check_next_run(forks: Forks, source: Path, out: Path, whole: Tree) -> None:
    """Check that a run after a killed one does its work, or refuses for the right reason only."""
    finished = (out / "metal").exists()
    ended = forks.run("convert", source, out, *OPTIONS)
    assert ended.code == (3 if finished else 0)
    assert ("exists already" in ended.error) == finished
    assert names_in(out) == ["metal"]
    assert snapshot(out / "metal") == whole


def test_killed_at_random_moments_it_is_there_whole_or_not_at_all(
    forks: Forks, source: Path, trees: tuple[Tree, Tree], tmp_path: Path
) -> None:
    out, before, choice = tmp_path / "out", state(source), random.Random(0)
    length = forks.run("convert", source, tmp_path / "timed", *OPTIONS).seconds
    killed = 0
    for _ in range(MOMENTS // 2):
        ended = forks.run("convert", source, out, *OPTIONS, kill_after=choice.uniform(0, length))
        killed += ended.code == -signal.SIGKILL
        assert tree_at(out) in (None, trees[0])
        check_next_run(forks, source, out, trees[0])
        shutil.rmtree(out)
    assert killed > MOMENTS / 6
    assert state(source) == before


def test_killed_at_random_moments_under_force_one_of_the_two_trees_is_there(
    forks: Forks, source: Path, trees: tuple[Tree, Tree], tmp_path: Path
) -> None:
    out, before, choice = tmp_path / "out", state(source), random.Random(1)
    length = forks.run("convert", source, out, *OPTIONS).seconds
    killed = 0
    for moment in range(MOMENTS // 2):
        seed = 1 - moment % 2
        arguments = ("convert", source, out, *OPTIONS, "--seed", seed, "--force")
        ended = forks.run(*arguments, kill_after=choice.uniform(0, length))
        killed += ended.code == -signal.SIGKILL
        there = tree_at(out)
        assert there in trees
        check_next_run(forks, source, out, there)
        assert forks.run(*arguments).code == 0
        assert (names_in(out), tree_at(out)) == (["metal"], trees[seed])
    assert killed > MOMENTS / 6
    assert state(source) == before


LAST_STEPS = 80
"""Steps before the end that hold the bringing to disk, the naming and the removal of the old."""


@pytest.mark.parametrize("force", [False, True])
def test_killed_at_the_steps_of_its_end_it_is_there_whole(
    forks: Forks, source: Path, trees: tuple[Tree, Tree], tmp_path: Path, force: bool
) -> None:
    out = tmp_path / "out"
    forks.run("convert", source, out, *OPTIONS)
    if not force:
        shutil.rmtree(out)
    arguments = ("convert", source, out, *OPTIONS, *(["--seed", "1", "--force"] if force else []))
    whole = trees[1] if force else trees[0]
    total = forks.run(*arguments, kill_at=2**30).events
    seen = []
    for event in range(total - LAST_STEPS, total + 1, 3):
        shutil.rmtree(out)
        if force:
            shutil.copytree(tmp_path / "tree0", out)
        assert forks.run(*arguments, kill_at=event).code in (-signal.SIGKILL, 0)
        seen.append(tree_at(out))
        assert seen[-1] in (whole, trees[0] if force else None)
        check_next_run(forks, source, out, seen[-1] or whole)
    # Among these steps are some before the tree has its name, and some after it.
    assert {tree == whole for tree in seen} == {True, False}
