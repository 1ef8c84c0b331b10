"""The examples in the docstrings of the public names run, and give what they show."""

from __future__ import annotations

import doctest
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import kolektor_cli


def found() -> Iterator[doctest.DocTest]:
    """Find the examples of the package and of all that it lists; they know their module's names."""
    finder = doctest.DocTestFinder()
    yield from finder.find(kolektor_cli, "kolektor_cli")
    for name in dir(kolektor_cli):
        if not name.startswith("_"):
            yield from finder.find(getattr(kolektor_cli, name), name)


TESTS = {test.name: test for test in found() if test.examples}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a synthetic dataset and a tree of it. Not to be changed."""
    folder = tmp_path_factory.mktemp("doctests")
    kolektor_cli.synthesize(folder / "KolektorSDD", items=4)
    kolektor_cli.convert(folder / "KolektorSDD", folder / "data")
    return folder


@pytest.mark.parametrize("name", TESTS)
def test_example_gives_what_it_shows(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in folder.iterdir():
        shutil.copytree(path, tmp_path / path.name, copy_function=os.link)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    result = doctest.DocTestRunner().run(TESTS[name], out=said.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(said)


def test_each_verb_has_an_example() -> None:
    verbs = {
        "compare",
        "convert",
        "inspect",
        "plan_conversion",
        "plan_folds",
        "show",
        "split",
        "synthesize",
        "verify",
    }
    assert verbs <= TESTS.keys()
    assert "kolektor_cli" in TESTS
