"""Maps are found by the names of their images, and what is wrong with them is told by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolektor_cli.core.scoring import score
from kolektor_cli.errors import SourceError
from kolektor_cli.scoring.maps import Owners
from kolektor_cli.scoring.results import Scores
from tests.scoring.cases import Case, random_case, write_case
from tests.scoring.test_formats import npz

NAMES = (
    "{c}/test/{k}/{s}",
    "test/{k}/{s}",
    "{k}/{s}",
    "{c}_test_{k}_{s}",
    "test_{k}_{s}",
    "{k}_{s}",
    "{c}_{k}_{s}",
)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return random_case(tmp_path, 7)


def write_maps(folder: Path, case: Case, name: str = "test/{k}/{s}") -> Path:
    for path, scores in case.maps.items():
        _, kind, stem = path.removesuffix(".png").split("/")
        file = folder / (name.format(c="part", k=kind, s=stem) + ".npy")
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, scores)
    return folder


def figures(found: Scores) -> dict[str, float | None]:
    assert found.findings == ()
    return {key: figure.value for key, figure in found.models[0].figures.items()}


def complaints(case: Case, maps: Any) -> set[tuple[str, str]]:
    found = score(case.tree, maps)
    assert not found.ok
    assert found.models == ()
    assert all(finding.severity == "error" for finding in found.findings)
    return {(finding.code, finding.path) for finding in found.findings}


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_found_by_each_of_their_names(case: Case, tmp_path: Path, name: str) -> None:
    expected = figures(score(case.tree, case.maps))
    assert figures(score(case.tree, write_maps(tmp_path / "maps", case, name))) == expected


def test_maps_of_other_categories_beside_are_no_matter(case: Case, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps", case, "{c}/test/{k}/{s}")
    write_maps(
        maps, Case(case.tree, {"test/good/77.png": np.zeros((2, 2))}, {}), "x{c}/test/{k}/{s}"
    )
    assert figures(score(case.tree, maps)) == figures(score(case.tree, case.maps))


def test_maps_of_training_images_and_other_files_are_no_matter(case: Case, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps", case)
    (maps / "train/good").mkdir(parents=True)
    np.save(maps / "train/good/000.npy", np.zeros((4, 4)))
    (maps / "config.yaml").write_text("model: none")
    (maps / "weights.pt").write_bytes(b"PK")
    assert figures(score(case.tree, maps)) == figures(score(case.tree, case.maps))


def test_function_of_the_path_gives_maps(case: Case) -> None:
    expected = figures(score(case.tree, case.maps))
    assert figures(score(case.tree, lambda path: case.maps[path])) == expected


@pytest.mark.parametrize("channels", [(), (1,)], ids=["NHW", "N1HW"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("start", ["", "/somewhere/else/part/", "C:\\data\\part\\"])
def test_one_file_with_all_maps_is_read(
    case: Case, tmp_path: Path, channels: tuple[int, ...], save: Any, start: str
) -> None:
    # Codes order images as they like.
    order = list(case.maps)[::-1]
    maps = np.stack([case.maps[path] for path in order])
    maps = maps.reshape(len(maps), *channels, *maps.shape[1:])
    file = tmp_path / "maps.npz"
    save(file, maps=maps, paths=[start + path for path in order])
    assert figures(score(case.tree, file)) == figures(score(case.tree, case.maps))
    (tmp_path / "run").mkdir()
    file.rename(tmp_path / "run/all.npz")
    assert figures(score(case.tree, tmp_path / "run")) == figures(score(case.tree, case.maps))


def test_image_scores_in_the_file_are_taken(case: Case, tmp_path: Path) -> None:
    order = list(case.maps)
    given = [float("dent" in path or "scratch" in path) for path in order]
    file = tmp_path / "maps.npz"
    np.savez(file, maps=np.stack(list(case.maps.values())), paths=order, scores=given)
    [model] = score(case.tree, file).models
    assert model.image_score == "from the file of the maps"
    assert model.figures["image_auroc"].value == 1
    assert {image.score for image in model.images} == {0, 1}


def test_uniad_file_is_found_by_what_it_names(case: Case, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    for number, (path, scores) in enumerate(case.maps.items()):
        (maps / f"{number}.npz").write_bytes(npz(filename=f"part/{path}", pred=scores[None]))
    assert figures(score(case.tree, maps)) == figures(score(case.tree, case.maps))


def test_missing_maps_are_named(case: Case, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps", case)
    (maps / "test/good/000.npy").unlink()
    (maps / "test/dent/003.npy").unlink()
    missing = {("map-missing", "test/good/000.png"), ("map-missing", "test/dent/003.png")}
    assert complaints(case, maps) == missing
    assert len(complaints(case, {})) == len(case.maps)


def test_map_that_is_there_twice_is_named(case: Case, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps", case)
    np.save(maps / "good_000.npy", case.maps["test/good/000.png"])
    assert complaints(case, maps) == {("map-twice", "good_000.npy")}


def test_map_of_no_image_is_named(case: Case, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps", case)
    np.save(maps / "test/good/999.npy", np.zeros((3, 3)))
    assert complaints(case, maps) == {("map-left-over", "test/good/999.npy")}
    more = {**case.maps, "test/good/999.png": np.zeros((3, 3))}
    assert complaints(case, more) == {("map-left-over", "test/good/999.png")}


def test_map_that_may_be_of_two_images_is_named(case: Case, tmp_path: Path) -> None:
    maps = {"test/a/b_0.png": case.maps["test/good/000.png"]}
    masks = {"test/a/b_0.png": np.eye(14, 11) > 0, "test/a_b/0.png": np.eye(14, 11) > 0}
    two = write_case(tmp_path / "two", maps, masks)
    folder = tmp_path / "flat"
    folder.mkdir()
    np.save(folder / "a_b_0.npy", maps["test/a/b_0.png"])
    assert ("ambiguous-map", "a_b_0.npy") in complaints(two, folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named_with_their_place(case: Case, value: float) -> None:
    wrong = case.maps["test/good/001.png"].copy()
    wrong[3, 2] = value
    [finding] = score(case.tree, {**case.maps, "test/good/001.png": wrong}).findings
    assert (finding.code, finding.path) == ("not-finite", "test/good/001.png")
    assert f"{value} in row 3, column 2" in finding.message


def test_map_of_another_size_than_the_others_is_named(case: Case) -> None:
    maps = {**case.maps, "test/good/001.png": np.zeros((3, 3))}
    assert complaints(case, maps) == {("map-size", "test/good/001.png")}


def test_map_that_cannot_be_read_is_named(case: Case, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps", case)
    (maps / "test/good/001.npy").write_bytes(b"text")
    (maps / "test/good/002.npy").unlink()
    (maps / "test/good/002.pt").write_bytes(b"PK")
    found = score(case.tree, maps)
    assert found.unreadable
    assert [f.path for f in found.findings] == ["test/good/001.png", "test/good/002.png"]
    assert "001.npy: is no .npy file" in found.findings[0].message
    assert "can run code" in found.findings[1].message


WRONG_STACKS: dict[str, tuple[dict[str, Any], str]] = {
    "no paths": ({"maps": np.zeros((6, 14, 11))}, "save the path of each image"),
    "too few": ({"maps": np.zeros((2, 14, 11)), "paths": ["a"] * 3}, "2 maps and 3 paths"),
    "two axes": ({"maps": np.zeros((6, 14)), "paths": ["a"] * 6}, "'maps' is 6 x 14"),
    "scores": (
        {"maps": np.zeros((1, 2, 2)), "paths": ["a"], "scores": [np.nan]},
        "'scores' are not one finite number",
    ),
    "objects": ({"maps": np.zeros((1, 2, 2)), "paths": np.array([Path("a")])}, "Python objects"),
    "text as scores": (
        {"maps": np.zeros((1, 2, 2)), "paths": ["a"], "scores": ["b"]},
        "'scores' are not one finite number",
    ),
    "columns": (
        {"maps": np.asfortranarray(np.zeros((2, 3, 4))), "paths": ["a", "b"]},
        "not in C order",
    ),
}


@pytest.mark.parametrize("what", WRONG_STACKS)
def test_wrong_file_of_all_maps_is_refused(case: Case, tmp_path: Path, what: str) -> None:
    arrays, part = WRONG_STACKS[what]
    file = tmp_path / "maps.npz"
    file.write_bytes(npz(**arrays))
    with pytest.raises(SourceError, match=part):
        score(case.tree, file)


def test_maps_of_other_categories_in_the_file_are_no_matter(case: Case, tmp_path: Path) -> None:
    order = [f"part/{path}" for path in case.maps] + ["bottle/test/good/000.png"]
    maps = np.stack([*case.maps.values(), np.full((14, 11), 9.0)])
    np.savez(tmp_path / "maps.npz", maps=maps, paths=np.array(order, "S"))
    assert figures(score(case.tree, tmp_path / "maps.npz")) == figures(score(case.tree, case.maps))


def test_map_that_is_twice_in_the_file_is_named(case: Case, tmp_path: Path) -> None:
    order = list(case.maps)
    maps = np.stack(list(case.maps.values()))
    np.savez(tmp_path / "maps.npz", maps=maps, paths=[*order[:-1], order[0]])
    assert complaints(case, tmp_path / "maps.npz") == {
        ("map-twice", "maps.npz"),
        ("map-missing", order[-1]),
    }


def test_truncated_file_of_all_maps_is_refused(case: Case, tmp_path: Path) -> None:
    data = npz(maps=np.stack(list(case.maps.values())), paths=list(case.maps))
    (tmp_path / "maps.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"maps\.npz: cannot be read"):
        score(case.tree, tmp_path / "maps.npz")


@pytest.mark.parametrize(
    "path",
    [
        *("test/good/000.png", "test/good/000", "good/000.tiff", "part/test/good/000.jpg"),
        *("/data/x/test/y/part/test/good/000.png", "test\\good\\000.png", "part_test_good_000"),
    ],
)
def test_image_is_found_by_any_path_of_it(path: str) -> None:
    owner = Owners("part", ["test/good/000.png", "train/good/000.png", "test/a/1.5.png"])
    assert owner(path) == "test/good/000.png"
    assert owner("test/a/1.5") == owner("test/a/1.5.png") == "test/a/1.5.png"
    assert owner("train/good/000.png") == "train/good/000.png"
    assert owner("test/good/1.png") is None
    assert owner("") is None
    assert owner("other/test/good/000.png") is None
