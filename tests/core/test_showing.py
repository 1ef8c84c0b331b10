"""Pictures of sources and trees: what they show, what is refused, and the same each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.scoring import score
from kolektor_cli.core.show_plan import ShowOptions
from kolektor_cli.core.showing import Picture, show
from kolektor_cli.errors import KolektorError, OutputError, SourceError, UsageError
from kolektor_cli.imaging.geometry import CenterCrop
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.load import read_image, read_mask
from kolektor_cli.raw.scan import scan_source
from kolektor_cli.reports.overlay import LOST, OUTLINE, SECOND_OUTLINE, heat_map, laid, outlined
from kolektor_cli.scoring.placing import place
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree
from kolektor_cli.tree.truth import open_truth
from tests.archives import zip_of
from tests.conftest import MakeDataset, box_mask, write_defects, write_pair, write_png

PAIRS = ShowOptions(which="pairs")


def texts(picture: Picture) -> list[str]:
    return [text.text for text in picture.page.texts]


def holds(picture: Picture, part: np.ndarray) -> bool:
    """Whether a picture lies somewhere on the page, pixel for pixel."""
    plain, (height, width) = picture.page.plain, part.shape[:2]
    starts = np.argwhere((plain[: -height + 1, : -width + 1] == part[0, 0]).all(axis=2))
    return any((plain[y : y + height, x : x + width] == part).all() for y, x in starts.tolist())


def has(picture: Picture, color: tuple[int, int, int]) -> bool:
    return bool((picture.page.plain == color).all(axis=2).any())


def maps_of(tree: Path) -> dict[str, np.ndarray]:
    """Draw a map for each test image: noise, and more on the right half of defects."""
    random = np.random.default_rng(0)
    maps = {}
    for image in load_tree(tree):
        if image.split == "test":
            mask = image.mask() / 255
            maps[image.path] = random.random(mask.shape) + 0.7 * mask
    return maps


def test_defects_of_a_source_are_shown_with_their_outlines(raw: Path) -> None:
    picture = show(raw, options=ShowOptions(cell=60))
    assert picture.cells == 3
    heading = "3 of 12 samples, 3 of them defective; outline: label"
    assert "".join(texts(picture)).startswith(heading)
    with open_source(raw) as source:
        for sample in scan_source(source).samples:
            shown = laid(outlined(read_image(source, sample), read_mask(source, sample)))
            assert holds(picture, shown) == bool(sample.defect_pixels)
            assert (sample.name in texts(picture)) == bool(sample.defect_pixels)
            if sample.defect_pixels:
                assert f"defect {sample.defect_pixels} px, 40x60" in texts(picture)


@pytest.mark.parametrize(("which", "cells"), [("good", 9), ("all", 12), ("defective", 3)])
def test_labels_choose_samples(raw: Path, tree: Path, which: Any, cells: int) -> None:
    for where in (raw, zip_of(raw), tree, tree.parent):
        assert show(where, options=ShowOptions(which=which)).cells == cells


def test_named_samples_have_their_own_size(raw: Path, tree: Path) -> None:
    picture = show(raw, ["kos02/Part0", "kos01/Part1", "kos02/Part0"])
    assert picture.cells == 2
    assert [text for text in texts(picture) if "/" in text] == ["kos02/Part0", "kos01/Part1"]
    [image] = [image for image in load_tree(tree) if image.sample == "kos02/Part0"]
    for name in (image.path, "kos02/Part0"):
        shown = show(tree, [name])
        assert texts(shown)[-3:-1] == [image.path, "kos02/Part0"]


def test_tree_of_others_is_shown(foreign: Path) -> None:
    picture = show(foreign, options=ShowOptions(cell=31))
    assert picture.cells == 3
    assert {"test/crack/000.png", "test/crack/001.png", "test/hole/000.png"} <= {*texts(picture)}
    image = load_tree(foreign)["test/hole/000.png"]
    assert holds(picture, laid(outlined(image.image(), image.mask())))


def test_mask_of_another_size_is_refused(foreign: Path) -> None:
    write_png(foreign / "ground_truth/hole/000_mask.png", box_mask((40, 50)))
    with pytest.raises(OutputError, match=r"hole/000.png: has another size than its mask"):
        show(foreign)


def same(place: Path, options: ShowOptions, maps: Any = None) -> None:
    first, second, third = (
        show(place, options=options, maps=maps, jobs=jobs) for jobs in (1, 1, 4)
    )
    for suffix in (".png", ".pdf", ".svg"):
        data = first.encoded(suffix)
        assert data == second.encoded(suffix)
        assert data == third.encoded(suffix)


@pytest.mark.parametrize("options", [ShowOptions(), ShowOptions(fit="crop", size=(30, 30)), PAIRS])
def test_bytes_do_not_depend_on_threads(make_dataset: MakeDataset, options: ShowOptions) -> None:
    raw = make_dataset()
    write_pair(raw / "kos04", "Part0", 101)
    same(raw, options)


def test_bytes_of_trees_do_not_depend_on_threads(tree: Path) -> None:
    same(tree, ShowOptions())
    same(tree, ShowOptions(), maps_of(tree))


def test_pairs_of_a_source_have_two_colours(make_dataset: MakeDataset) -> None:
    raw = make_dataset()
    # kos01/Part0 once more, with another label.
    write_pair(raw / "kos04", "Part0", 100, (5, 30, 12, 6))
    picture = show(raw, options=replace(PAIRS, cell=60))
    assert picture.cells == 1
    assert {"kos01/Part0", "kos04/Part0", "same file"} <= {*texts(picture)}
    assert has(picture, OUTLINE)
    assert has(picture, SECOND_OUTLINE)
    assert show(raw, ["kos04/Part0"], PAIRS).cells == 1
    with pytest.raises(SourceError, match="nothing to show"):
        show(raw, ["kos02/Part0"], PAIRS)


def test_pairs_of_a_tree_are_its_leaks(make_dataset: MakeDataset, tmp_path: Path) -> None:
    raw = make_dataset()
    write_pair(raw / "kos04", "Part9", 101)
    file = tmp_path / "split.csv"
    rows = ["sample,split,label"]
    with open_source(raw) as source:
        for sample in scan_source(source).samples:
            name = sample.name
            split = "test" if sample.defect_pixels or name == "kos04/Part9" else "train"
            rows.append(f"{name},{split},{sample.label}")
    file.write_text("\n".join([*rows, ""]))
    options = ConvertOptions(size=(20, 31), split=SplitOptions(file=file))
    tree = convert(raw, tmp_path / "out", options).target
    picture = show(tree, options=PAIRS)
    assert picture.cells == 1
    shown = texts(picture)
    assert shown.index("kos01/Part1") < shown.index("kos04/Part9")
    assert show(tree, ["kos04/Part9"], PAIRS).cells == 1


def test_lost_defects_are_red(tmp_path: Path) -> None:
    raw = write_defects(tmp_path / "raw", [(5, 5, 10, 4), (5, 43, 10, 4)])
    picture = show(raw, options=ShowOptions(fit="crop", size=(40, 40), cell=90))
    assert has(picture, LOST)
    assert any("40 px of it lost" in text for text in texts(picture))
    assert sum("lost" in text for text in texts(picture)) == 1
    kept = show(raw, ["kos02/Part1"], ShowOptions(fit="crop", size=(40, 40)))
    assert not has(kept, LOST)
    assert has(kept, SECOND_OUTLINE)
    assert not has(show(raw, options=ShowOptions(fit="thirds", cell=90)), LOST)
    assert not has(show(raw, options=ShowOptions(size=(20, 45), cell=90)), LOST)


def test_panels_share_one_scale_and_the_threshold_of_score(tree: Path) -> None:
    maps = maps_of(tree)
    picture = show(tree, options=ShowOptions(cell=31), maps=maps)
    assert picture.cells == 3
    threshold = score(tree, maps).models[0].pixel_threshold
    shown = {path: scores for path, scores in maps.items() if "good" not in path}
    low, high = (
        end(scores.min() if end is min else scores.max() for scores in shown.values())
        for end in (min, max)
    )
    assert texts(picture)[0] == (f"maps: 3 of 6 test images; colours from {low:.4g} to {high:.4g}")
    assert f"threshold {threshold:.4g}" in texts(picture)[1]
    assert "chosen on test" in texts(picture)[1]
    for path, scores in shown.items():
        assert holds(picture, heat_map(scores, low, high))
        image = load_tree(tree)[path]
        found = np.where(scores >= threshold, 255, 0).astype(np.uint8)
        both = outlined(outlined(image.image(), image.mask()), found, SECOND_OUTLINE)
        assert holds(picture, both)
        assert any(f"score {scores.max():.4g}, threshold" in text for text in texts(picture))


def test_maps_are_not_written_over(tree: Path, tmp_path: Path) -> None:
    for path, scores in maps_of(tree).items():
        write_png(tmp_path / "maps" / path, (scores * 30).astype(np.uint8))
    with pytest.raises(UsageError, match="inside"):
        show(tree, maps=tmp_path / "maps", output=tmp_path / "maps/show.png")
    assert show(tree.parent, maps=tmp_path / "maps", output=tree.parent / "show.png").cells == 3


def test_maps_in_one_file_are_shown_as_others(tree: Path, tmp_path: Path) -> None:
    maps = maps_of(tree)
    paths = [*reversed(maps)]
    np.savez(tmp_path / "maps.npz", maps=np.array([maps[p] for p in paths]), paths=np.array(paths))
    shown, wanted = (show(tree, maps=source) for source in (tmp_path / "maps.npz", maps))
    assert (shown.page.plain == wanted.page.plain).all()


def test_given_threshold_is_taken(tree: Path) -> None:
    options = ShowOptions(threshold=0.25, which="all")
    picture = show(tree, options=options, maps=maps_of(tree))
    assert picture.cells == 6
    assert texts(picture)[1].startswith("threshold 0.25, given")
    assert (
        show(tree, ["test/good/000.png"], ShowOptions(threshold=2), maps=maps_of(tree)).cells == 1
    )


Change = Callable[[dict[str, np.ndarray]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda maps: maps.pop("test/good/000.png"), "has no map"),
        (lambda maps: maps["test/good/000.png"].fill(np.nan), "not finite"),
        (lambda maps: maps.update({"x.png": np.zeros((3, 3))}), "is no image of the tree"),
    ],
)
def test_wrong_maps_are_refused(tree: Path, change: Change, message: str) -> None:
    maps = maps_of(tree)
    change(maps)
    with pytest.raises(SourceError, match=message):
        show(tree, maps=maps)


def wrong() -> Iterator[tuple[str, dict[str, Any], type[KolektorError], str]]:
    """Give a place, arguments, and the error that they end in."""
    yield "raw", {"samples": ["kos01/Prat0"]}, SourceError, "did you mean kos01/Part0"
    yield "tree", {"samples": ["test/defect/00.png"]}, OutputError, "mean test/defect/00[0-2].png"
    yield "raw", {"options": PAIRS}, SourceError, "nothing to show"
    yield "tree", {"options": PAIRS}, OutputError, "nothing to show"
    yield "foreign", {"options": PAIRS}, OutputError, "has no manifest.json"
    yield "tree", {"options": ShowOptions(fit="crop")}, UsageError, "for a source"
    yield "raw", {"maps": {}}, UsageError, "with a tree"
    yield "raw", {"options": ShowOptions(threshold=1)}, UsageError, "--maps"
    yield "raw", {"options": ShowOptions(which="bad")}, UsageError, "not one of"  # type: ignore[arg-type]
    yield "raw", {"options": ShowOptions(cell=8193)}, UsageError, "more than 8192"
    yield "raw", {"options": ShowOptions(cell=15)}, UsageError, "from 16"
    yield "raw", {"options": ShowOptions(columns=0)}, UsageError, "from 1"
    yield "raw", {"options": ShowOptions(cell=8000, which="all")}, UsageError, "smaller --cell"
    yield "raw", {"samples": "kos01/Part0"}, UsageError, "list of names"
    yield "raw", {"samples": ["a"], "options": ShowOptions(which="all")}, UsageError, "contradict"
    yield "tree", {"options": replace(PAIRS, fit="pad")}, UsageError, "--pairs shows"
    yield "tree", {"samples": ["train/good/000.png"], "maps": {}}, UsageError, "no test image"
    yield "raw", {"output": "a.jpg"}, UsageError, r"\.png, \.pdf, \.svg"
    yield "raw", {"output": "raw/a.png"}, UsageError, "inside the source"
    yield "tree", {"output": "data/metal/a.png"}, UsageError, "inside"
    yield "raw", {"output": "nowhere/a.png"}, OutputError, "cannot be written"
    yield "empty", {}, SourceError, "empty"


@pytest.mark.parametrize(("place", "arguments", "error", "message"), list(wrong()))
def test_errors_say_what_is_wrong(
    request: pytest.FixtureRequest,
    in_tmp_path: Path,
    place: str,
    arguments: dict[str, Any],
    error: type[KolektorError],
    message: str,
) -> None:
    if place == "empty":
        folder = in_tmp_path / "empty"
        folder.mkdir()
    else:
        folder = request.getfixturevalue(place)
    with pytest.raises(error, match=message):
        show(folder, **arguments)
    assert not [*in_tmp_path.glob("*.png"), *in_tmp_path.glob("*.jpg")]


def test_sample_that_is_left_out_is_told_so(raw: Path) -> None:
    (raw / "kos02/Part1.jpg").write_bytes(b"no image")
    with pytest.raises(SourceError, match="kos02/Part1 is no usable sample"):
        show(raw, ["kos02/Part1"])
    picture = show(raw)
    assert picture.cells == 3
    assert picture.findings


def test_file_is_written_all_or_nothing(raw: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    data = show(raw, output=file).encoded()
    assert file.read_bytes() == data
    file.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        show(raw, output=file)
    assert file.read_bytes() == b"mine"
    show(raw, output=file, force=True)
    assert file.read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "raw"]


@pytest.mark.parametrize(
    "name", ["x" * 200, "\u05d0\u05d1\u05d2", "<script>", "\u4e2d\u6587 caf\u00e9"]
)
def test_hostile_names_are_whole(raw: Path, name: str) -> None:
    (raw / "kos02").rename(raw / name)
    picture = show(raw, [f"{name}/Part0"])
    assert f"{name}/Part0" in "".join(texts(picture))
    right = picture.page.plain.shape[1]
    assert (picture.pixels[:, -8:] == 255).all()
    assert all(text.x < right for text in picture.page.texts)


def test_colour_images_are_shown(make_dataset_2: MakeDataset) -> None:
    raw = make_dataset_2()
    picture = show(raw, ["train/10000"])
    with open_source(raw) as source:
        [sample] = [s for s in scan_source(source).samples if s.name == "train/10000"]
        image = read_image(source, sample)
        assert image.ndim == 3
        assert holds(picture, laid(outlined(image, read_mask(source, sample))))


def test_maps_of_a_crop_are_shown_in_its_window(tree: Path) -> None:
    random = np.random.default_rng(0)
    maps = {path: random.random((16, 16)) for path in maps_of(tree)}
    crop = CenterCrop("test", 10, 8)
    options = ShowOptions(cell=31, threshold=0.5, crop=crop)
    picture = show(tree, options=options, maps=maps)
    images = [image for image in open_truth(tree).images if image.label == "defective"]
    placed = [place(maps[i.path], i.size, i.inside, crop) for i in images]
    assert all(one.window[2:] != image.size for one, image in zip(placed, images, strict=True))
    low = min(float(one.scores.min()) for one in placed)
    high = max(float(one.scores.max()) for one in placed)
    for one in placed:
        assert holds(picture, heat_map(one.scores, low, high))
    with pytest.raises(UsageError, match="for --maps"):
        show(tree, options=ShowOptions(crop=crop))
    with pytest.raises(UsageError, match="contradict"):
        show(tree, options=options, maps=maps, consumer="patchcore")
