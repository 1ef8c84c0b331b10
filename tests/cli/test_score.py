"""``kolektor score``: tables, other formats, exit codes and what is said of errors."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core.scoring import score
from kolektor_cli.scoring.figures import DEFINITIONS, FIGURES
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.scoring.published import PUBLISHED
from kolektor_cli.tree.dataset import load_tree
from tests.running import KOLEKTOR, run
from tests.scoring.cases import Case, random_case, write_case
from tests.scoring.test_maps import write_maps


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return random_case(tmp_path, 7, good=6, defective=6)


@pytest.fixture
def maps(case: Case, tmp_path: Path) -> Path:
    return write_maps(tmp_path / "runs/one", case)


@pytest.fixture
def other(case: Case, tmp_path: Path) -> Path:
    better = {path: scores + case.masks[path] for path, scores in case.maps.items()}
    return write_maps(tmp_path / "runs/two_a", Case(case.tree, better, case.masks))


def figures(case: Case, maps: Path) -> dict[str, float | None]:
    return {key: f.value for key, f in score(case.tree, maps).models[0].figures.items()}


def test_table_has_a_row_a_model_and_the_published_rows_apart(
    case: Case, maps: Path, other: Path
) -> None:
    shown = run("score", case.tree, maps, other).stdout
    ours, _, published = shown.partition("KolektorSDD: published, other splits and definitions")
    for key in ("image_auroc", "pixel_ap", "aupro_0.05"):
        for folder in (maps, other):
            assert f"{figures(case, folder)[key]:.3f}" in ours
    assert "two_a" in ours
    for row in PUBLISHED:
        assert row.model in published
        assert f"{row.image_auroc:.3f}" in published
    assert "test set    6 good, 6 defective images of 12 items" in published
    assert "image score: maximum of the map" in published
    assert "chosen on test" in published
    assert "leaks       not known: the tree has no manifest" in published


def shown_on_a_terminal(columns: int, *arguments: object) -> str:
    """Run kolektor on a terminal of so many columns; return what it shows."""
    terminal, end = os.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"}
    command = [*KOLEKTOR, *map(str, arguments)]
    with subprocess.Popen(command, stdout=end, stderr=subprocess.PIPE, env=environment) as process:
        os.close(end)
        shown = b""
        # Linux ends the reading of a terminal that nobody writes to with an error.
        with suppress(OSError):
            while data := os.read(terminal, 2**16):
                shown += data
        os.close(terminal)
        assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no such terminals here")
def test_narrow_terminal_breaks_no_number(case: Case, maps: Path) -> None:
    shown = shown_on_a_terminal(60, "score", case.tree, maps, "--ci", "-q")
    tables = shown.partition("test set")[0].splitlines()
    assert max(map(len, tables)) <= 60
    [model] = score(case.tree, maps, options=ScoreOptions(draws=1000)).models
    for key, figure in model.figures.items():
        if key != "image_fp_at_fn0":
            for end in (figure.value, figure.low, figure.high):
                assert any(f" {end:.3f} " in f"{line} " for line in tables), key


def test_json_has_all_that_the_result_has(case: Case, maps: Path) -> None:
    shown = json.loads(run("score", case.tree, maps, "--ci", "--json").stdout)
    assert (shown["command"], shown["ok"], shown["draws"]) == ("score", True, 1000)
    [model] = shown["models"]
    assert {k: v["value"] for k, v in model["figures"].items()} == figures(case, maps)
    assert len(model["images"]) == len(case.maps)
    assert all(len(image["map_sha256"]) == 64 for image in model["images"])
    assert len(model["regions"]) == shown["regions"]
    assert shown["definitions"] == dict(DEFINITIONS)
    assert len(shown["published"]) == len(PUBLISHED)
    assert shown["versions"].keys() == {"kolektor", "python", "numpy", "opencv"}
    for figure in model["figures"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_csv_has_the_exact_figures(case: Case, maps: Path, other: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("score", case.tree, maps, other, "--csv").stdout)))
    assert [row["maps"] for row in rows] == ["one", "two_a"]
    for row, folder in zip(rows, (maps, other), strict=True):
        assert {key: float(row[key]) for key in FIGURES} == figures(case, folder)


def test_markdown_has_rows_of_as_many_cells(case: Case, maps: Path) -> None:
    shown = run("score", case.tree, maps, "--markdown", "--ci").stdout
    ours, published = shown.split("\nKolektorSDD: published, other splits and definitions:\n")
    assert {line.count("|") for line in ours.splitlines()} == {len(FIGURES) + 2}
    assert [line.split(" | ")[0] for line in ours.splitlines()] == ["| maps", "| ---", "| one"]
    rows = [line for line in published.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(PUBLISHED)
    assert {row.count("|") for row in rows} == {7}


def test_latex_marks_the_best_of_comparable_rows(case: Case, maps: Path, other: Path) -> None:
    shown = run("score", case.tree, maps, other, "--latex").stdout
    best = f"\\textbf{{{figures(case, other)['pixel_auroc']:.3f}}}"
    [first] = [line for line in shown.splitlines() if line.startswith("one &")]
    [second] = [line for line in shown.splitlines() if line.startswith("two\\_a &")]
    assert best in second
    assert best not in first
    assert shown.count("\\toprule") == shown.count("\\bottomrule") == 1
    rows = [line for line in shown.splitlines() if line.endswith("\\\\") and "multicol" not in line]
    assert {row.count("&") for row in rows} == {len(FIGURES)}
    assert "textbf" not in shown.partition("published")[2]


def test_best_of_one_row_is_not_marked(case: Case, maps: Path) -> None:
    assert "textbf" not in run("score", case.tree, maps, "--latex").stdout


@pytest.mark.parametrize(("by", "names"), [("size", ("small", "medium", "large")), ("item", ())])
def test_groups_are_shown_on_request(
    case: Case, maps: Path, by: str, names: tuple[str, ...]
) -> None:
    shown = run("score", case.tree, maps, "--by", by).stdout
    for name in names or case.maps:
        assert name in shown
    assert f"one by {by}" in shown


def test_intervals_and_differences_are_shown(case: Case, maps: Path, other: Path) -> None:
    shown = run("score", case.tree, maps, other, "--ci", "--seed", "5").stdout
    assert "intervals   95 %, 1000 draws of the 12 physical items, seed 5" in shown
    assert "one minus two_a, on the same draws" in shown
    assert run("score", case.tree, maps, other, "--ci", "--seed", "5").stdout == shown


def test_model_and_backbone_of_a_binding_are_shown(tree: Path, tmp_path: Path) -> None:
    masks = {i.path: i.mask() / 255.0 for i in load_tree(tree) if i.split == "test"}
    maps = write_maps(tmp_path / "maps", Case(tree, masks, {}))
    run("score", tree, maps, "--bind", "-q")
    bound = json.loads((maps / "kolektor.json").read_text())
    bound |= {"model": "PatchCore", "backbone": "wide_resnet50_2"}
    (maps / "kolektor.json").write_text(json.dumps(bound))
    assert "made by PatchCore, wide_resnet50_2" in run("score", tree, maps).stdout


def test_curves_are_saved(case: Case, maps: Path, tmp_path: Path) -> None:
    run("score", case.tree, maps, "--save", tmp_path / "curves")
    assert len(list((tmp_path / "curves").glob("one_*.csv"))) == 4
    again = run("score", case.tree, maps, "--save", tmp_path / "curves", code=3)
    assert "is not empty" in again.stderr


def test_missing_map_ends_with_1_and_an_unreadable_one_with_3(case: Case, maps: Path) -> None:
    (maps / "test/good/000.npy").unlink()
    missing = run("score", case.tree, maps, code=1)
    assert missing.stdout == "error   test/good/000.png: has no map (map-missing)\n"
    (maps / "test/good/000.npy").write_bytes(b"text")
    unreadable = run("score", case.tree, maps, code=3)
    assert "test/good/000.npy: is no .npy file" in unreadable.stdout
    np.save(maps / "test/good/000.npy", np.zeros((2, 3, 5)))
    assert "is not one map" in run("score", case.tree, maps, code=1).stdout
    # What is for a file of another format is not mixed with errors.
    told = run("score", case.tree, maps, "--latex", code=1)
    assert told.stdout == ""
    assert "is not one map" in told.stderr
    (maps / "test/good/000.npy").write_bytes(b"text")
    shown = json.loads(run("score", case.tree, maps, "--json", code=3).stdout)
    assert (shown["ok"], shown["models"]) == (False, [])
    assert shown["findings"][0]["code"] == "unreadable-map"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--json", "--csv"), "--json and --csv contradict each other"),
        (("--crop", "256"), "is not RESIZE:SIDE"),
        (("--crop", "0:1"), "is not RESIZE:SIDE"),
        (("--threshold", "high"), "neither a finite number nor 'val'"),
        (("--threshold", "nan"), "neither a finite number"),
        (("--threshold", "val"), "no validation images"),
        (("--image-score", "mean"), "neither 'max' nor 'top:N'"),
        (("--for", "patchcore", "--crop", "256:224"), "contradict each other"),
        (("--threshold", "1_0"), "neither a finite number"),
        (("--crop", f"{'1' * 5000}:1"), "is not RESIZE:SIDE"),
        (("--image-score", f"top:{'1' * 5000}"), "neither 'max' nor 'top:N'"),
        (("--by", "size", "--latex"), "contradict each other"),
        (("--by", "colour"), "is not one of size, item"),
        (("--seed", "-1"), "is too small"),
        (("--exact-size", "--crop", "9:8"), "contradict each other"),
    ],
)
def test_wrong_options_end_with_2(
    case: Case, maps: Path, options: tuple[str, ...], part: str
) -> None:
    told = run("score", case.tree, maps, *options, code=2)
    assert part in told.stderr.replace("\n", " ")
    assert (told.stdout == "") == ("--json" not in options)


def test_maps_or_trees_that_are_not_there_end_with_3(case: Case, tmp_path: Path) -> None:
    assert "no such file or folder" in run("score", case.tree, tmp_path / "no", code=3).stderr
    assert "is not a folder" in run("score", tmp_path / "no", case.tree, code=3).stderr
    (tmp_path / "empty").mkdir()
    told = run("score", case.tree, tmp_path / "empty", code=1)
    assert "and 11 more images have no map" in told.stdout
    (tmp_path / "text.npz").write_bytes(b"text")
    assert (
        "text.npz: cannot be read" in run("score", case.tree, tmp_path / "text.npz", code=3).stderr
    )


def test_notes_are_below_the_tables_or_on_standard_error(case: Case, tmp_path: Path) -> None:
    small = {path: scores[::2] for path, scores in case.maps.items()}
    maps = write_maps(tmp_path / "small", Case(case.tree, small, case.masks))
    assert "were resized to their images" in run("score", case.tree, maps).stdout
    inverted = {path: -scores - 5 * case.masks[path] for path, scores in case.maps.items()}
    maps = write_maps(tmp_path / "inverted", Case(case.tree, inverted, case.masks))
    told = run("score", case.tree, maps, "--csv")
    assert "are the maps inverted?" in told.stderr
    assert run("score", case.tree, maps, "--csv", "--quiet").stderr == ""


def test_guide_of_the_scores_is_shown() -> None:
    listed = run("docs").stdout
    assert "scores" in listed
    guide = run("docs", "scores").stdout
    for name in FIGURES.values():
        assert name.removeprefix("image ").removeprefix("pixel ") in guide
    assert "there is no guide 'tables'" in run("docs", "tables", code=2).stderr


def test_one_model_without_numbers_shows_dashes_with_the_reason(tmp_path: Path) -> None:
    masks = {f"test/good/{n}.png": np.zeros((4, 4), np.bool_) for n in range(3)}
    case = write_case(tmp_path, {path: np.eye(4) for path in masks}, masks)
    maps = write_maps(tmp_path / "maps", case)
    shown = run("score", case.tree, maps).stdout
    assert "\N{EN DASH}" in shown
    assert "no defect in the test set" in shown
