"""The steps that a verb tells are those that it is said to count: else its bar would lie."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core import reporting, scoring, showing, verification
from kolektor_cli.core.conversion import ConvertOptions, convert, plan_conversion, plan_folds
from kolektor_cli.core.exporting import export
from kolektor_cli.core.inspection import inspect
from kolektor_cli.core.show_plan import ShowOptions
from kolektor_cli.core.steps import StepProgress
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree

Run = Callable[[Path, StepProgress], object]


@pytest.fixture
def place(raw: Path, tmp_path: Path) -> Path:
    """A folder with a raw dataset, its tree, anomaly maps of two models, and own images."""
    convert(raw, tmp_path / "out", ConvertOptions(size=(20, 30)))
    own = shutil.copytree(raw, tmp_path / "own")
    (own / "ground_truth").mkdir()  # as a tree has it
    for image in load_tree(tmp_path / "out"):
        for model in ("a", "b") if image.split == "test" else ():
            file = (tmp_path / model / image.path).with_suffix(".npy")
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, image.mask().astype(np.float32))
    return tmp_path


GROUPED = ConvertOptions(split=SplitOptions("grouped"))

OWN = LayoutOptions("pairs")

RUNS: dict[str, tuple[Run, Callable[[Path], int]]] = {
    "inspect": (lambda p, told: inspect(p / "raw", progress=told), lambda _: 1),
    "convert": (lambda p, told: convert(p / "raw", p / "new", progress=told), lambda _: 1),
    "plan": (lambda p, told: plan_conversion(p / "raw", p / "new", progress=told), lambda _: 1),
    "plan of folds": (
        lambda p, told: plan_folds(p / "raw", p / "new", GROUPED, progress=told),
        lambda _: 1,
    ),
    "export": (lambda p, told: export(p / "out", "coco", p / "new", progress=told), lambda _: 2),
    "verify": (
        lambda p, told: verification.verify(p / "out", progress=told),
        lambda p: verification.count_steps(p / "out"),
    ),
    "verify against the source": (
        lambda p, told: verification.verify(p / "out", source=p / "raw", progress=told),
        lambda p: verification.count_steps(p / "out", p / "raw"),
    ),
    "score": (
        lambda p, told: scoring.score(p / "out", [p / "a", p / "b"], progress=told),
        lambda p: scoring.count_steps([p / "a", p / "b"]),
    ),
    "report of a source": (
        lambda p, told: reporting.report(p / "raw", progress=told),
        lambda p: reporting.count_steps(p / "raw", []),
    ),
    "report of own images": (
        lambda p, told: reporting.report(p / "own", layout=OWN, progress=told),
        lambda p: reporting.count_steps(p / "own", [], OWN),
    ),
    "report of a tree": (
        lambda p, told: reporting.report(p / "out", progress=told),
        lambda p: reporting.count_steps(p / "out", []),
    ),
    "report of maps": (
        lambda p, told: reporting.report(p / "out", [p / "a", p / "b"], progress=told),
        lambda p: reporting.count_steps(p / "out", [p / "a", p / "b"]),
    ),
    "show a source": (
        lambda p, told: showing.show(p / "raw", progress=told),
        lambda p: showing.count_steps(p / "raw", None),
    ),
    "show own images that lie as in a tree": (
        lambda p, told: showing.show(p / "own", layout=OWN, progress=told),
        lambda p: showing.count_steps(p / "own", None, OWN),
    ),
    "show a tree": (
        lambda p, told: showing.show(p / "out", progress=told),
        lambda p: showing.count_steps(p / "out", None),
    ),
    "show maps": (
        lambda p, told: showing.show(
            p / "out", options=ShowOptions(threshold=0.5), maps=p / "a", progress=told
        ),
        lambda p: showing.count_steps(p / "out", p / "a"),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_each_step_is_counted_to_its_end_one_after_the_other(name: str, place: Path) -> None:
    run, number = RUNS[name]
    told: list[tuple[str, int, int]] = []
    run(place, lambda step, done, total: told.append((step, done, total)))
    counted = [step for step in told if step[2]]
    names = list(dict.fromkeys(step for step, _, _ in counted))
    assert len(names) == number(place)
    for step in names:
        positions = [index for index, found in enumerate(counted) if found[0] == step]
        assert positions == list(range(positions[0], positions[-1] + 1))
        assert counted[positions[-1]][1] == counted[positions[-1]][2]
