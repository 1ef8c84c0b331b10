"""One cause is one line, with its number and the first names; JSON keeps every finding."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.cli.render.findings import finding_lines
from kolektor_cli.findings import Check, Finding
from tests.archives import write_zip
from tests.conftest import MakeDataset, color_image, snapshot, write_png
from tests.running import SMALL, run


def many(number: int, message: str = "is damaged", code: str = "unreadable") -> list[Finding]:
    return [Finding("error", code, f"kos01/Part{n}.jpg", message.format(n)) for n in range(number)]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_few_findings_have_a_line_each(number: int) -> None:
    lines = finding_lines(many(number))
    assert [line.text for line in lines] == [
        f"kos01/Part{n}.jpg: is damaged (unreadable)" for n in range(number)
    ]


def test_many_findings_of_one_cause_have_one_line() -> None:
    [line] = finding_lines(many(86))
    names = "kos01/Part0.jpg, kos01/Part1.jpg, kos01/Part2.jpg and 83 more"
    assert line.text == f"86 times: {names}: each is damaged (unreadable)"
    assert line.number == 86


def test_names_and_numbers_do_not_make_another_cause() -> None:
    [line] = finding_lines(many(5, "has no mask: Part{}_label.bmp is missing"))
    assert "the first has no mask: Part0_label.bmp is missing" in line.text


def test_severity_code_and_words_make_another_cause() -> None:
    other = [*many(4), *many(4, code="empty"), *many(4, "is too short")]
    other += [Finding("warning", f.code, f.path, f.message) for f in many(4)]
    assert [line.number for line in finding_lines(other)] == [4, 4, 4, 4]


def test_state_of_a_check_is_the_worst_that_it_found() -> None:
    def state(*severities: str) -> str:
        found = tuple(Finding(s, "x", "", "x") for s in severities)  # type: ignore[arg-type]
        return Check("x", "x", found).state

    assert (state(), state("info"), state("info", "warning")) == ("ok", "ok", "warning")
    assert state("warning", "error", "info") == "FAILED"
    assert Check("x", "x", skipped="no manifest").state == "skipped"


def test_zip_of_which_nothing_can_be_unpacked_is_one_line(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    packed = write_zip(tmp_path / "packed.zip", snapshot(make_dataset()), zipfile.ZIP_LZMA)
    told = run("inspect", packed, "-q", code=1).stdout
    [line] = [line for line in told.splitlines() if line.startswith("error")]
    assert "24 times: " in line
    assert "LZMA" in line
    findings = json.loads(run("inspect", packed, "--json", code=1).stdout)["findings"]
    assert sum(finding["severity"] == "error" for finding in findings) == 24


def test_near_leaks_are_a_warning_in_text_and_json(foreign: Path) -> None:
    image = foreign / "train/good/000.png"
    pixels = cv2.GaussianBlur(color_image(3, (120, 200)), (0, 0), 2)
    write_png(image, pixels)
    write_png(foreign / "test/good/000.png", pixels + np.uint8(1))
    text = run("verify", foreign).stdout
    [row] = [line for line in text.splitlines() if line.lstrip().startswith("near-leaks")]
    assert row.split()[1] == "warning"
    assert text.splitlines()[-1] == "bottle: ok; warning: near-leaks"
    report = json.loads(run("verify", foreign, "--json").stdout)
    states = {c["name"]: (c["ok"], c["state"]) for c in report["categories"][0]["checks"]}
    assert states["near-leaks"] == (True, "warning")
    assert states["leaks"] == (True, "ok")
    assert states["manifest"] == (True, "skipped")
    assert run("verify", foreign, "--strict", code=1).stdout.splitlines()[-1] == (
        "bottle: FAILED: near-leaks"
    )


def test_last_line_sums_up_several_categories(make_dataset: MakeDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("convert", make_dataset(), out, *SMALL)
    shutil.copytree(out / "metal", out / "aaa")
    assert run("verify", out).stdout.splitlines()[-1] == "2 of 2 ok"
    (out / "aaa/train/good/000.png").unlink()
    assert run("verify", out, code=1).stdout.splitlines()[-1] == "1 of 2 failed: aaa"
    assert run("verify", out / "metal").stdout.splitlines()[-1] == "metal: ok"
