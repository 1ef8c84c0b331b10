"""Several consumers share a tree that serves each of them, or a sentence says why not."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from kolektor_cli.consumers.catalogue import CONSUMERS, METAL_NUT, Consumer, ConsumerName
from kolektor_cli.consumers.needs import refuse_contradictory
from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import UsageError
from tests.conftest import SIZE, MakeDataset
from tests.consumers.consumed import NAMES
from tests.running import SMALL, run

ALIKE = {frozenset({"ader", "mambaad"})}
"""Codes that read the same meta.json."""


@pytest.mark.parametrize(
    ("names", "category", "fit", "size"),
    [
        (("anomalib", "musc"), "metal", "pad", [1240, 1240]),
        (("patchcore", "simplenet"), "metal", "pad", [256, 256]),
        (("simplenet", "patchcore"), "metal", "pad", [288, 288]),
        (("simplenet", "fastflow", "uniad"), METAL_NUT, "pad", [256, 256]),
        (("uniad", "cflow"), METAL_NUT, "pad", [1240, 1240]),
        (("anomalib", "anomalib"), "metal", "stretch", [500, 1240]),
    ],
)
def test_defaults_are_what_all_accept(
    make_dataset: MakeDataset,
    tmp_path: Path,
    names: tuple[ConsumerName, ...],
    category: str,
    fit: str,
    size: list[int],
) -> None:
    done = convert(make_dataset(), tmp_path / "data", ConvertOptions(consumers=names))
    assert [guide.consumer for guide in done.guides] == list(dict.fromkeys(names))
    assert done.plan.category == category
    assert (done.plan.options["fit"], done.plan.options["size"]) == (fit, size)
    assert verify(tmp_path / "data", consumers=names).ok


def test_all_files_beside_are_written_and_each_guide_names_its_own(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "mvtec"
    options = ConvertOptions(consumers=("anomalib", "uniad", "ader"), size=SIZE, table=True)
    done = convert(make_dataset(), out, options)
    own = [guide.files for guide in done.guides]
    assert own == [
        ("metal.csv", "metal.pre-processor.yaml", "metal.yaml"),
        ("test.json", "train.json"),
        ("meta.json",),
    ]
    beside = {path.name for path in out.iterdir() if path.is_file()}
    assert beside == set(done.beside) == {name for files in own for name in files}
    (out / "train.json").unlink()
    [result] = verify(out, consumers=("anomalib", "uniad", "ader")).categories
    assert [check.ok for check in result.checks if check.name == "consumer"] == [True, False, True]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (
            ("adaclip", "ader"),
            "the name of OUT must be SDD_anomaly_detection for adaclip, and mvtec",
        ),
        (("anomalyclip", "adaclip"), "the class in meta.json must be electrical commutators for"),
        (("cflow", "anomalyclip", "uniad", "adaclip"), "--for anomalyclip and --for adaclip"),
    ],
)
def test_contradictory_needs_are_told_in_one_sentence(
    make_dataset: MakeDataset, tmp_path: Path, names: tuple[ConsumerName, ...], why: str
) -> None:
    with pytest.raises(UsageError) as error:
        convert(make_dataset(), tmp_path / "data", ConvertOptions(consumers=names))
    assert why in str(error.value)
    assert "cannot share a tree" in str(error.value)
    assert not (tmp_path / "data").exists()


def test_only_codes_that_read_meta_json_differently_contradict_each_other() -> None:
    readers = [name for name in NAMES if CONSUMERS[name].class_name is not None]
    for pair in combinations(NAMES, 2):
        if set(pair) <= set(readers) and frozenset(pair) not in ALIKE:
            with pytest.raises(UsageError):
                refuse_contradictory(pair, METAL_NUT)
        else:
            refuse_contradictory(pair, METAL_NUT)


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        ({"categories": frozenset({"steel"})}, "the category must be"),
        ({"sizes": frozenset({(512, 512)})}, "the size must be 256x256 or 384x384 or 448x448 for"),
        ({"colors": ("gray",)}, "--color must be rgb for fastflow, and gray for musc"),
    ],
)
def test_every_need_may_contradict(
    needs: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONSUMERS, "musc", Consumer("Other", (), **needs))
    with pytest.raises(UsageError, match=why):
        refuse_contradictory(("fastflow", "musc"), METAL_NUT)


def test_command_line_takes_several_and_shows_each(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    raw, out = make_dataset(), tmp_path / "data"
    both = ("--for", "uniad", "--for", "musc")
    shown = run("convert", raw, out, *both, *SMALL).stdout
    assert "UniAD (zhiyuanyou/UniAD):\n" in shown
    assert "MuSc (xrli-U/MuSc):\n" in shown
    shown = run("convert", raw, out, *both, *SMALL, "--force", "--json").stdout
    assert [guide["consumer"] for guide in json.loads(shown)["consumers"]] == ["uniad", "musc"]
    assert (
        "MuSc (xrli-U/MuSc) trains on it as it is" in run("verify", out, *both, "--checks").stdout
    )
    error = run("convert", raw, out, "--for", "uniad", "--for", "usc", code=2).stderr
    assert "did you mean musc?" in error
    error = run("verify", out, "--for", "uniad", "--for", "", code=2).stderr
    assert "must not be empty" in error
