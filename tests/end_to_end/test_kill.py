"""Killed or interrupted at any moment: the source and a tree are whole, and the next run is.

Runs are real processes. They are killed by SIGKILL at random moments and at each single call to
the file system that a run ends with, and interrupted by SIGINT at each of all their calls.
"""

from __future__ import annotations

import random
import shutil
import signal
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="needs a system with limits and signals")

from tests.conftest import MakeDataset, snapshot
from tests.end_to_end.states import SERIES, names_in, state
from tests.forks import Ended, Forks
from tests.trees import check

MOMENTS = 50
OPTIONS = ("-q", "--size", "20x30", "-j", "2")
Tree = Mapping[str, bytes]


@pytest.fixture
def source(make_dataset: MakeDataset) -> Path:
    """Hold 24 small samples."""
    return make_dataset(items=3, parts=8)


@pytest.fixture
def trees(forks: Forks, source: Path, tmp_path: Path) -> tuple[Tree, Tree]:
    """Hold the trees of seed 0 and of seed 1."""
    for seed in (0, 1):
        place = tmp_path / f"tree{seed}"
        assert forks.run("convert", source, place, *OPTIONS, "--seed", seed).code == 0
        assert check(place / "metal").ok
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


def killed(forks: Forks, times: int, seed: int, *arguments: object) -> Iterator[Ended]:
    """Kill runs of a command so many times, at random moments of what it takes from now on.

    A run that ends before it is killed is given, too, and is not one of these times.
    """
    choice = random.Random(seed)
    length = forks.run(*arguments, kill_at=2**30).seconds
    while times:
        ended = forks.run(*arguments, kill_after=choice.uniform(0, length))
        assert ended.code in (0, 3, -signal.SIGKILL)
        if ended.code == -signal.SIGKILL:
            times -= 1
        else:
            length = min(length, ended.seconds)
        yield ended


@pytest.mark.parametrize("every", SERIES)
def test_killed_at_random_moments_it_is_there_whole_or_not_at_all(
    forks: Forks, source: Path, trees: tuple[Tree, Tree], tmp_path: Path, every: int
) -> None:
    out, before = tmp_path / "out", state(source)
    for _ in killed(forks, MOMENTS // every, 0, "convert", source, out, *OPTIONS):
        assert tree_at(out) in (None, trees[0])
        check_next_run(forks, source, out, trees[0])
        shutil.rmtree(out)
    assert state(source) == before


@pytest.mark.parametrize("every", SERIES)
def test_killed_at_random_moments_under_force_one_of_the_two_trees_is_there(
    forks: Forks, source: Path, trees: tuple[Tree, Tree], tmp_path: Path, every: int
) -> None:
    out, before = tmp_path / "out", state(source)
    arguments = ("convert", source, out, *OPTIONS, "--seed", 1, "--force")
    for _ in killed(forks, MOMENTS // every, 1, *arguments):
        there = tree_at(out)
        assert there in trees
        check_next_run(forks, source, out, there)
        assert forks.run(*arguments).code == 0
        assert (names_in(out), tree_at(out)) == (["metal"], trees[1])
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "tree0", out)
    assert state(source) == before


@pytest.mark.parametrize("every", SERIES)
def test_killed_with_all_folds_each_is_there_whole_or_not_at_all(
    forks: Forks, source: Path, tmp_path: Path, every: int
) -> None:
    folds = [tmp_path / f"out/fold{number}" for number in range(3)]
    arguments = ("convert", source, tmp_path / "out", *OPTIONS, "--protocol", "grouped",
                 "--all-folds")  # fmt: skip
    assert forks.run(*arguments).code == 0
    whole = [tree_at(fold) for fold in folds]
    shutil.rmtree(tmp_path / "out")
    for _ in killed(forks, MOMENTS // every, 2, *arguments):
        for fold, tree in zip(folds, whole, strict=True):
            assert not fold.exists() or tree_at(fold) in (None, tree)
        assert forks.run(*arguments, "--force").code == 0
        assert [tree_at(fold) for fold in folds] == whole
        assert [names_in(fold) for fold in folds] == [["metal"]] * 3
        shutil.rmtree(tmp_path / "out")


LAST_STEPS = 80
"""Steps before the end that hold the bringing to disk, the naming and the removal of the old."""


@pytest.mark.parametrize("every", SERIES)
@pytest.mark.parametrize("force", [False, True])
def test_killed_at_the_steps_of_its_end_it_is_there_whole(
    forks: Forks, source: Path, trees: tuple[Tree, Tree], tmp_path: Path, force: bool, every: int
) -> None:
    out = tmp_path / "out"
    forks.run("convert", source, out, *OPTIONS)
    if not force:
        shutil.rmtree(out)
    arguments = ("convert", source, out, *OPTIONS, *(["--seed", "1", "--force"] if force else []))
    whole = trees[1] if force else trees[0]
    total = forks.run(*arguments, kill_at=2**30).events
    seen = []
    for event in range(total, total - LAST_STEPS, -every):
        shutil.rmtree(out)
        if force:
            shutil.copytree(tmp_path / "tree0", out)
        assert forks.run(*arguments, kill_at=event).code in (-signal.SIGKILL, 0)
        seen.append(tree_at(out))
        assert seen[-1] in (whole, trees[0] if force else None)
        check_next_run(forks, source, out, seen[-1] or whole)
    # Among these steps are some before the tree has its name, and some after it.
    assert {tree == whole for tree in seen} == {True, False}


BESIDE = ("--for", "anomalib", "--table", "--names", "source")
"""Options with which two files go beside the tree, of which one depends on the seed."""


@pytest.mark.parametrize("force", [False, True])
def test_killed_between_the_tree_and_the_files_beside_it_they_come_with_the_next_run(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path, force: bool
) -> None:
    source, out, former = make_dataset(items=1), tmp_path / "out", tmp_path / "former"
    arguments: tuple[object, ...] = ("convert", source, out, *OPTIONS, *BESIDE)
    if force:
        assert forks.run(*arguments).code == 0
        out.rename(former)
        shutil.copytree(former, out)
        arguments = (*arguments, "--seed", 2, "--force")
    else:
        former.mkdir()
    total = forks.run(*arguments, kill_at=2**30).events
    whole = snapshot(out)
    assert names_in(out) == ["metal", "metal.csv", "metal.pre-processor.yaml", "metal.yaml"]
    assert whole["metal.csv"] != snapshot(former).get("metal.csv")

    def left_at(event: int) -> Tree:
        shutil.rmtree(out)
        shutil.copytree(former, out)
        assert forks.run(*arguments, kill_at=event).code in (-signal.SIGKILL, 0)
        return snapshot(out)

    def has_its_name(left: Tree) -> bool:
        return all(left.get(path) == whole[path] for path in whole if path.startswith("metal/"))

    first = bisect_left(range(total), True, key=lambda event: has_its_name(left_at(event)))
    seen = []
    for event in range(first, total + 1):
        left = left_at(event)
        assert has_its_name(left)
        seen.append([name for name in ("metal.csv", "metal.yaml") if left.get(name) == whole[name]])
        # Whatever the next run is to make: here, it is not even allowed to.
        ended = forks.run("convert", source, out, *OPTIONS, *BESIDE)
        assert (ended.code, "exists already" in ended.error) == (3, True)
        assert snapshot(out) == whole
        assert names_in(out) == ["metal", "metal.csv", "metal.pre-processor.yaml", "metal.yaml"]
        if len(seen[-1]) == 2:
            break
    assert ["metal.csv", "metal.yaml"] in seen
    assert ["metal.yaml"] in seen if force else [] in seen


@pytest.mark.parametrize("every", SERIES)
@pytest.mark.parametrize("command", ["convert", "convert, beside", "sample", "split"])
def test_interrupted_at_each_of_its_steps_it_leaves_nothing(
    forks: Forks, make_dataset: MakeDataset, tmp_path: Path, command: str, every: int
) -> None:
    source, out = make_dataset(items=2, parts=3), tmp_path / "out"
    arguments: tuple[object, ...] = {
        "convert": ("convert", source, out / "deep", *OPTIONS),
        "convert, beside": ("convert", source, out / "deep", *OPTIONS, *BESIDE),
        "sample": ("sample", out / "raw", "--items", 1, "-q"),
        "split": ("split", source, "-q", "-o", out / "split.csv"),
    }[command]
    out.mkdir()
    steps = forks.run(*arguments, kill_at=2**30).events
    assert steps > 20
    whole = snapshot(out)
    for step in range(1, steps + 1, every):
        shutil.rmtree(out)
        out.mkdir()
        ended = forks.run(*arguments, kill_at=step, signal_number=signal.SIGINT)
        # The last steps may come when all is done.
        assert ended.code == 130 or (ended.code == 0 and step > steps - 5)
        assert ended.error.strip() in ("", "Interrupted: nothing unfinished was left behind")
        # What had its name already is whole, and stays.
        assert snapshot(out) in ({}, whole)
        assert names_in(out) == [] or snapshot(out)


def test_an_old_tree_that_lost_its_name_is_put_back_by_the_next_run(
    forks: Forks, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert forks.run("convert", source, out, *OPTIONS).code == 0
    before = snapshot(out / "metal")
    workshop = out / ".metal.unfinished"
    workshop.mkdir()
    (out / "metal").rename(workshop / "old")
    (workshop / "new/train").mkdir(parents=True)
    (workshop / "lock").touch()
    ended = forks.run("convert", source, out, *OPTIONS)
    assert (ended.code, "exists already" in ended.error) == (3, True)
    assert names_in(out) == ["metal"]
    assert snapshot(out / "metal") == before
