"""``kolektor sample``: what it says is what it drew."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import snapshot
from tests.running import error_of, run


def test_sample_counts_what_it_drew(tmp_path: Path) -> None:
    result = run("sample", tmp_path / "raw", "--items", 1, "--seed", 3)
    assert ["1", "8", "7", "1"] in [line.split() for line in result.stdout.splitlines()]
    assert len(snapshot(tmp_path / "raw")) == 16
    assert "exists already" in error_of("sample", tmp_path / "raw", code=3)


def test_sample_draws_each_layout(tmp_path: Path) -> None:
    for layout, release in (("boxes", "KolektorSDD-boxes"), ("kolektorsdd2", "KolektorSDD2")):
        source = tmp_path / layout
        result = run("sample", source, "--layout", layout, "--items", 4)
        assert any(line.split()[:1] == ["4"] for line in result.stdout.splitlines())
        facts = json.loads(run("inspect", source, "--json").stdout)
        assert facts["release"] == release
    assert "too few" in error_of(
        "sample", tmp_path / "x", "--layout", "kolektorsdd2", "--items", 2, code=2
    )
