"""The package root: what it lists, and that what it lists is enough."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from typing import get_args, get_type_hints

import pytest

import kolektor_cli

VERBS = (
    *("compare", "convert", "convert_folds", "export", "fetch", "inspect", "load_tree"),
    "plan_conversion",
    "plan_folds",
    *("report", "score", "show", "split", "synthesize", "train", "verify"),
)
NAMES = [name for name in dir(kolektor_cli) if not name.startswith("_")]


def classes_in(hint: object) -> Iterator[type]:
    """Find the classes of this package that a type is made of."""
    if isinstance(hint, type) and hint.__module__.startswith("kolektor_cli"):
        yield hint
    for part in get_args(hint):
        yield from classes_in(part)


def test_names_are_listed_before_anything_heavy_is_loaded() -> None:
    script = (
        "import sys, kolektor_cli\n"
        f"assert set({VERBS}) <= set(dir(kolektor_cli))\n"
        "print(sorted({'anomalib', 'cv2', 'numpy', 'pooch', 'rich', 'typer'} & sys.modules.keys()))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_imported(name: str) -> None:
    assert getattr(kolektor_cli, name) is not None


@pytest.mark.parametrize("name", NAMES)
def test_what_a_public_type_holds_is_public(name: str) -> None:
    public = getattr(kolektor_cli, name)
    if isinstance(public, type) and dataclasses.is_dataclass(public):
        for hint in get_type_hints(public).values():
            for found in classes_in(hint):
                assert getattr(kolektor_cli, found.__name__) is found


@pytest.mark.parametrize("name", NAMES)
def test_every_class_and_function_is_documented(name: str) -> None:
    public = getattr(kolektor_cli, name)
    if callable(public) and getattr(public, "__module__", "").startswith("kolektor_cli"):
        assert len((public.__doc__ or "").split()) > 3


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        kolektor_cli.no_such_name  # type: ignore[attr-defined]  # noqa: B018
