"""What commands print with --json has exactly the keys and types that the schemas promise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from kolektor_cli.cli.app import app
from kolektor_cli.cli.render.envelope import envelope
from kolektor_cli.cli.render.fetching import fetched_json
from kolektor_cli.cli.render.schemas import SCHEMAS
from kolektor_cli.cli.render.training import training_json
from kolektor_cli.consumers.training import TrainOptions, make_recipe
from kolektor_cli.core.fetching import Fetched
from kolektor_cli.core.training import Training
from kolektor_cli.version import __version__
from tests.conftest import MakeDataset, write_pair
from tests.running import SMALL, run
from tests.scoring.cases import random_case
from tests.scoring.test_maps import write_maps


def promised(printed: str | dict[str, Any], schema: str) -> dict[str, Any]:
    """Check JSON against the type of a schema; it must have each key and no other."""
    found: dict[str, Any] = json.loads(printed) if isinstance(printed, str) else printed
    # Keys that the type does not have are dropped on the way.
    assert json.loads(msgspec.json.encode(msgspec.convert(found, SCHEMAS[schema]))) == found
    return found


def test_inspection_is_as_promised(make_dataset: MakeDataset) -> None:
    source = make_dataset()
    promised(run("inspect", source, "--json").stdout, "inspect")
    promised(run("inspect", source, "--json", "--fit", "crop", "--size", "20").stdout, "inspect")
    (source / "kos01/Part1.jpg").write_bytes(b"")
    assert promised(run("inspect", source, "--json", code=1).stdout, "inspect")["ok"] is False


@pytest.mark.parametrize(("layout", "items"), [("kolektorsdd", 3), ("kolektorsdd2", 20)])
def test_every_step_from_a_synthetic_dataset_is_as_promised(
    layout: str, items: int, tmp_path: Path
) -> None:
    source, out = tmp_path / "raw", tmp_path / "out"
    drawn = run("sample", source, "--items", items, "--layout", layout, "--json")
    assert promised(drawn.stdout, "sample")["items"] == items
    promised(run("inspect", source, "--json").stdout, "inspect")
    split = promised(run("split", source, "--json").stdout, "split")
    assert {sample["split"] for sample in split["samples"]} >= {"train", "test"}
    for more in (["--dry-run"], ["--for", "anomalib"]):
        promised(run("convert", source, out, "--json", *SMALL, *more).stdout, "convert")
    [tree] = [manifest.parent for manifest in out.glob("*/manifest.json")]
    promised(run("verify", out, "--json").stdout, "verify")
    promised(run("export", tree, "coco", tmp_path / "coco", "--json").stdout, "export")
    shown = run("show", tree, "-o", tmp_path / "show.png", "--json").stdout
    assert promised(shown, "show")["path"] == str(tmp_path / "show.png")


def test_split_in_json_is_the_one_that_is_written_in_csv(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    source, file = make_dataset(), tmp_path / "split.csv"
    told = promised(run("split", source, "-o", file, "--json").stdout, "split")
    assert told["file"] == str(file)
    header, *rows = file.read_text().splitlines()
    assert [",".join(sample.values()) for sample in told["samples"]] == rows
    assert header == ",".join(told["samples"][0])
    total = sum(sum(numbers.values()) for numbers in told["counts"].values())
    assert total == len(rows)


def test_split_with_pixel_labels_is_as_promised(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source, file = make_dataset(), tmp_path / "split.csv"
    run("split", source, "-o", file)
    header, *rows = file.read_text().splitlines()
    known = [f"{row},{'true' if index % 2 else ''}" for index, row in enumerate(rows)]
    file.write_text("\n".join([f"{header},segmented", *known]))
    told = run("convert", source, tmp_path / "out", "--split", file, "--json", *SMALL).stdout
    promised(told, "convert")


def test_comparison_is_as_promised(make_dataset: MakeDataset, tmp_path: Path) -> None:
    source = make_dataset()
    for name, seed in (("a", 0), ("b", 1)):
        run("convert", source, tmp_path / name, "--seed", seed, *SMALL)
    one, other = tmp_path / "a/metal", tmp_path / "b/metal"
    promised(run("compare", one, one, "--json").stdout, "compare")
    told = promised(run("compare", one, other, "--json", code=1).stdout, "compare")
    assert told["values"]
    manifest = other / "manifest.json"
    promised(run("compare", one, manifest, "--json", code=1).stdout, "compare")


def test_folds_are_as_promised(tmp_path: Path) -> None:
    run("sample", tmp_path / "raw", "--items", 4)
    folds = ("--protocol", "grouped", "--all-folds", "--json", *SMALL)
    for more in ("--dry-run",), ():
        told = run("convert", tmp_path / "raw", tmp_path / "out", *folds, *more).stdout
        assert len(promised(told, "convert --all-folds")["folds"]) == 3


def test_scores_are_as_promised(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7, good=6, defective=6)
    one, two = write_maps(tmp_path / "one", case), write_maps(tmp_path / "two", case)
    promised(run("score", case.tree, one, two, "--ci", "--json").stdout, "score")
    promised(run("score", case.tree, one, "--threshold", "0.5", "--json").stdout, "score")
    page = ("report", case.tree, one, "-o", tmp_path / "page.html", "--json", "--force")
    assert promised(run(*page, "-q").stdout, "report")["path"] == str(tmp_path / "page.html")
    next(path for path in one.rglob("*") if path.is_file()).unlink()
    assert promised(run("score", case.tree, one, "--json", code=1).stdout, "score")["findings"]
    assert promised(run(*page, "-q", code=1).stdout, "report")["path"] is None


def test_archives_and_training_are_as_promised(tmp_path: Path) -> None:
    told = run("fetch", "kolektorsdd", "--print", "--json").stdout
    promised(told, "fetch --print")
    for kept in (None, tmp_path / "old"):
        fetched = fetched_json(Fetched(tmp_path, 3, "ab", True, kept))
        promised(envelope(__version__, "fetch", True, fetched), "fetch")
    recipe = make_recipe("patchcore", TrainOptions(), [(500, 1240)])
    trained = Training(
        tree=tmp_path,
        maps=tmp_path,
        images=1,
        recipe=recipe,
        settings={"layers": ["layer2"]},
        own_scores=True,
        fits=True,
        device="cpu",
        versions={"torch": "2"},
        weights_sha256=None,
    )
    promised(envelope(__version__, "train", True, training_json(trained)), "train")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("inspect none", 3),
        ("split none", 3),
        ("convert none out", 3),
        ("convert none", 2),
        ("verify none", 3),
        ("verify none --fro", 2),
        ("compare none none", 3),
        ("train none patchcore", 3),
        ("score none none", 3),
        ("show none", 3),
        ("show none -o -", 2),
        ("report none", 3),
        ("report none -o -", 2),
        ("export none yolo", 3),
        ("sample out --items 0", 2),
        ("fetch nothing", 2),
        ("convrt none", 2),
    ],
)
def test_command_that_fails_prints_the_error_twice(
    arguments: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(tmp_path / word) if word == "none" else word for word in arguments.split()]
    failed = run(*words, "--json", code=code)
    told = promised(failed.stdout, "any command that fails")
    assert told["command"] in (words[0], None)
    assert told["error"]["exit_code"] == code
    assert failed.stderr.splitlines()[-1] == f"Error: {told['error']['message']}"


def test_failures_name_their_command(tmp_path: Path) -> None:
    told = json.loads(run("verify", tmp_path / "none", "--json", code=3).stdout)
    assert told["command"] == "verify"


def test_who_asks_for_no_json_gets_none(tmp_path: Path) -> None:
    assert run("verify", tmp_path / "none", code=3).stdout == ""
    assert run("verify", "--", "--json", code=3).stdout == ""


def test_a_broken_library_is_told_in_json_too(make_dataset: MakeDataset) -> None:
    source = make_dataset()
    write_pair(source / "kos01", "Part9", 1)
    (source / "kos01/Part9.jpg").write_bytes(b"")
    told = json.loads(run("convert", source, source.parent / "o", "--json", code=3).stdout)
    promised(told, "any command that fails")


def test_every_command_with_json_has_a_schema() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    with_json = {
        name
        for name, command in group.commands.items()
        if any("--json" in param.opts for param in command.params)
    }
    documented = {re.split(r" --", name)[0] for name in SCHEMAS} - {"any command that fails"}
    assert with_json == documented
    assert with_json >= {"fetch", "inspect", "split", "convert", "verify", "train", "score"}


def test_schemas_are_shown_and_name_all_commands() -> None:
    shown = json.loads(run("docs", "schemas").stdout)
    assert list(shown["commands"]) == list(SCHEMAS)
    for reference in shown["commands"].values():
        assert reference["$ref"].removeprefix("#/$defs/") in shown["$defs"]
    assert "schemas" in run("docs").stdout
