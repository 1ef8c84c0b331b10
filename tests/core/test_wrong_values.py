"""Values of the wrong type or choice, as a Python caller may give them, are one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kolektor_cli import (
    ConvertOptions,
    OutputError,
    SplitOptions,
    UsageError,
    convert,
    load_tree,
    split,
    synthesize,
    verify,
)
from tests.conftest import MakeDataset


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "foo"}, "--layout 'foo' is not one of kolektorsdd, boxes, kolektorsdd2"),
        ({"items": 0}, "--items 0 is not a whole number from 1 on"),
        ({"items": 2.5}, "--items 2.5 is not a whole number"),
        ({"seed": "x"}, "--seed 'x' is not a whole number"),
        ({"seed": True}, "--seed True is not a whole number"),
    ],
)
def test_synthetic_dataset_that_cannot_be_is_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        synthesize(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options", [{"seed": "x"}, {"seed": 1.5}, {"seed": True}, {"val": "0.1"}, {"test_good": 2.5}]
)
def test_split_options_of_another_type_are_refused(
    make_dataset: MakeDataset, tmp_path: Path, options: dict[str, Any]
) -> None:
    root = make_dataset()
    with pytest.raises(UsageError):
        split(root, SplitOptions(**options))
    with pytest.raises(UsageError):
        convert(root, tmp_path / "out", ConvertOptions(split=SplitOptions(**options)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("fit", "size"), [("stretch", 0), ("pad", ()), ("square", 64), ("crop", (1, 2, 3))]
)
def test_sizes_that_are_none_are_refused(
    make_dataset: MakeDataset, tmp_path: Path, fit: Any, size: Any
) -> None:
    with pytest.raises(UsageError, match=r"is not .width, height. in whole pixels"):
        convert(make_dataset(), tmp_path / "out", ConvertOptions(fit=fit, size=size))


def test_consumer_that_is_not_known_is_refused_before_the_tree_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--for 'foo' is not one of anomalib, "):
        verify(tmp_path / "nowhere", consumers="foo")  # type: ignore[arg-type]


def test_raw_dataset_is_not_loaded_as_a_tree(make_dataset_2: MakeDataset) -> None:
    with pytest.raises(OutputError, match="is not an MVTec-style tree"):
        load_tree(make_dataset_2())
