"""The plan: every path of a tree, for any samples and any split that can be asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.raw.scan import Scan
from kolektor_cli.samples import Sample, natural_key
from kolektor_cli.splits.split import Split, SplitName
from kolektor_cli.tree.fit import AskedSize, make_fit
from kolektor_cli.tree.layout import Names, check_category
from kolektor_cli.tree.plan import Plan, make_plan, paths_of
from kolektor_cli.tree.views import View, Views, geometries
from tests.samples import make_sample

FOLDERS = {
    ("train", "good"): "train/good",
    ("val", "good"): "validation/good",
    ("test", "good"): "test/good",
    ("test", "defective"): "test/defect",
}

Place = tuple[SplitName, bool]
"""A split and whether a sample in it is defective."""

PLACES: tuple[Place, ...] = (
    ("train", False),
    ("val", False),
    ("test", False),
    ("test", True),
    ("unused", False),
    ("unused", True),
)
NEEDED: tuple[Place, ...] = (("train", False), ("test", False), ("test", True))


def stretched(samples: Iterable[Sample], size: AskedSize) -> Views:
    """Fit samples by stretching; no file is needed for that."""
    fit = make_fit("stretch", size, default=(500, 1240))
    return Views(fit, {s.name: (View(geometries(fit, s, None)[0], s.kind),) for s in samples})


def plan(
    places: Mapping[str, Place],
    *,
    names: Names = "index",
    size: AskedSize = (10, 20),
    category: str = "metal",
    left_out: Mapping[str, str] | None = None,
) -> Plan:
    """Lay out samples by name, each with its place, in the order in which they are given."""
    samples = tuple(make_sample(name, defective=places[name][1]) for name in places)
    scan = Scan("KolektorSDD", samples, left_out or {}, (), (), len(samples), 0, 0)
    split = Split("file", {}, {name: place for name, (place, _) in places.items()})
    return make_plan(scan, split, stretched(samples, size), category=category, names=names)


def numbered(place: Place, count: int, start: int = 0) -> dict[str, Place]:
    return {f"kos01/Part{number}": place for number in range(start, start + count)}


def needed(item: str = "kos99") -> dict[str, Place]:
    """One sample for each folder that must not be empty."""
    return {f"{item}/Part{number}": place for number, place in enumerate(NEEDED)}


def all_paths(made: Plan) -> list[str]:
    return [path for image in made.images for path in paths_of(image)]


# What file systems allow in a name, with what is awkward in it: digits, case, signs that sort
# before and after the underscore and the dot.
words = st.text(st.sampled_from("aAzZ019_-. ~äß图"), min_size=1, max_size=6)
sample_names = st.tuples(words, words).map("/".join)


@st.composite
def placed_samples(draw: st.DrawFn) -> dict[str, Place]:
    drawn = draw(st.dictionaries(sample_names, st.sampled_from(PLACES), max_size=30))
    return drawn | needed()


naming: st.SearchStrategy[Names] = st.sampled_from(("index", "source"))


def plan_or_reject(places: Mapping[str, Place], names: Names) -> Plan:
    """Lay out; names that the layout refuses are no case for the property."""
    try:
        return plan(places, names=names)
    except UsageError:
        assert names == "source"
        assume(False)
        raise


@given(placed_samples(), naming)
def test_every_sample_in_use_has_one_path_in_its_folder(
    places: dict[str, Place], names: Names
) -> None:
    made = plan_or_reject(places, names)
    folders = {image.sample.name: str(PurePosixPath(image.path).parent) for image in made.images}
    expected = {
        name: FOLDERS[split, "defective" if defective else "good"]
        for name, (split, defective) in places.items()
        if split != "unused"
    }
    assert folders == expected
    assert len(made.images) == len(folders)
    assert len(set(all_paths(made))) == len(all_paths(made))
    assert set(made.unused) == places.keys() - folders.keys()


@given(placed_samples(), naming)
def test_defective_samples_and_no_others_have_one_mask(
    places: dict[str, Place], names: Names
) -> None:
    for image in plan_or_reject(places, names).images:
        stem = PurePosixPath(image.path).stem
        mask = f"ground_truth/defect/{stem}_mask.png" if places[image.sample.name][1] else None
        assert image.mask_path == mask


@given(placed_samples(), naming)
def test_images_and_masks_sort_alike(places: dict[str, Place], names: Names) -> None:
    made = plan_or_reject(places, names)
    pairs = {image.path: image.mask_path for image in made.images if image.mask_path}
    assert [pairs[path] for path in sorted(pairs)] == sorted(pairs.values())


@given(placed_samples(), naming)
def test_no_path_leaves_the_allowed_folders_or_is_hidden(
    places: dict[str, Place], names: Names
) -> None:
    for path in all_paths(plan_or_reject(places, names)):
        folder, _, file = path.rpartition("/")
        assert folder in {*FOLDERS.values(), "ground_truth/defect"}
        assert file.endswith(".png")
        assert not file.startswith(".")


@given(placed_samples(), naming)
def test_paths_differ_by_more_than_case(places: dict[str, Place], names: Names) -> None:
    paths = all_paths(plan_or_reject(places, names))
    assert len({path.casefold() for path in paths}) == len(paths)


@given(placed_samples())
def test_samples_are_numbered_from_0_in_natural_order(places: dict[str, Place]) -> None:
    made = plan(places)
    for folder in FOLDERS.values():
        images = [image for image in made.images if image.path.startswith(f"{folder}/")]
        in_order = sorted(images, key=lambda image: natural_key(image.sample.name))
        assert [image.path for image in in_order] == [
            f"{folder}/{number:03}.png" for number in range(len(images))
        ]


@pytest.mark.parametrize("place", [("train", False), ("val", False), ("test", True)])
@pytest.mark.parametrize(("count", "digits"), [(999, 3), (1000, 3), (1001, 4), (10001, 5)])
def test_all_names_have_the_digits_that_the_fullest_folder_needs(
    place: Place, count: int, digits: int
) -> None:
    own = 1 if place in NEEDED else 0
    made = plan(needed() | numbered(place, count - own))
    stems = [PurePosixPath(path).stem.removesuffix("_mask") for path in all_paths(made)]
    assert {len(stem) for stem in stems} == {digits}
    assert Counter(image.split for image in made.images)[place[0]] >= count
    assert f"{count - 1:0{digits}}" in stems


def test_source_names_are_item_and_part() -> None:
    made = plan(needed() | {"kos01/Part5": ("test", True)}, names="source")
    assert "test/defect/kos01_Part5.png" in all_paths(made)
    assert "ground_truth/defect/kos01_Part5_mask.png" in all_paths(made)


@pytest.mark.parametrize("other", ["a_b/c", "A/b_c", "a/B_C"])
def test_source_names_that_collide_are_refused(other: str) -> None:
    places: dict[str, Place] = needed() | {"a/b_c": ("train", False), other: ("train", False)}
    with pytest.raises(UsageError, match=r"train/good/.*same file.*--names index"):
        plan(places, names="source")
    assert len(plan(places).images) == 5


def test_source_names_collide_only_within_a_folder() -> None:
    made = plan(needed() | {"a/b_c": ("train", False), "a_b/c": ("test", False)}, names="source")
    assert {"train/good/a_b_c.png", "test/good/a_b_c.png"} <= set(all_paths(made))


def test_source_names_that_would_pair_wrongly_are_refused() -> None:
    numbers = ("kos01/Part1", "kos01/Part10")
    places = needed() | dict.fromkeys(numbers, ("test", True))
    with pytest.raises(UsageError, match=r"test/defect/kos01_Part1.*sort.*--names index"):
        plan(places, names="source")
    places = needed() | dict.fromkeys(numbers, ("test", False))
    assert len(plan(places, names="source").images) == 5


def test_source_names_that_would_be_hidden_are_refused() -> None:
    places: dict[str, Place] = needed() | {".kos/Part0": ("train", False)}
    with pytest.raises(UsageError, match="--names index"):
        plan(places, names="source")
    assert len(plan(places).images) == 4


@pytest.mark.parametrize(
    ("place", "lack"),
    [
        (NEEDED[0], "train/good would be empty"),
        (NEEDED[1], "test/good would be empty"),
        (NEEDED[2], "no defective image to test"),
    ],
)
def test_empty_folder_is_refused(place: Place, lack: str) -> None:
    places = {name: other for name, other in needed().items() if other != place}
    with pytest.raises(UsageError, match=lack):
        plan(places | {"kos01/Part0": ("unused", True), "kos01/Part1": ("val", False)})


def test_validation_may_be_empty() -> None:
    assert {image.split for image in plan(needed()).images} == {"train", "test"}


def test_plan_says_what_stands_in_the_manifest() -> None:
    places = needed() | {"kos01/Part9": ("unused", True), "kos01/Part10": ("unused", False)}
    made = plan(places, left_out={"kos02/Part0": "unreadable"}, category="steel", names="source")
    assert (made.category, made.release, made.color) == ("steel", "KolektorSDD", "rgb")
    assert made.options == {
        "fit": "stretch", "size": [10, 20], "color": "rgb", "names": "source",
    }  # fmt: skip
    assert made.unused == ("kos01/Part9", "kos01/Part10")
    assert made.left_out == {"kos02/Part0": "unreadable"}
    assert plan(places, size="source").options["size"] == "source"


def test_only_tested_samples_whose_defects_no_image_shows_are_lost() -> None:
    places: dict[str, Place] = {
        **needed(),
        "kos01/Part0": ("test", True),
        "kos01/Part1": ("unused", True),
        "kos01/Part2": ("test", True),
        "kos01/Part3": ("test", False),
    }
    samples = tuple(make_sample(name, defective=places[name][1]) for name in places)
    made = stretched(samples, (10, 20))
    views = dict(made.views)
    for name in ("kos01/Part0", "kos01/Part1"):
        # As of a crop that leaves out the defect.
        views[name] = (replace(views[name][0], kind="good"),)
    scan = Scan("KolektorSDD", samples, {}, (), (), len(samples), 0, 0)
    split = Split("file", {}, {name: place for name, (place, _) in places.items()})
    found = make_plan(scan, split, Views(made.fit, views), category="metal")
    assert found.lost == ("kos01/Part0",)
    assert found.unused == ("kos01/Part1",)


def place_one(size: AskedSize) -> Sequence[tuple[Size, Size]]:
    """Source and output size of each image of a plan with images of several sizes."""
    samples = tuple(
        make_sample(f"kos01/Part{n}", defective=place[1], size=(40 + n, 60 - n))
        for n, place in enumerate(NEEDED)
    )
    split = Split("file", {}, {s.name: p[0] for s, p in zip(samples, NEEDED, strict=True)})
    scan = Scan("KolektorSDD", samples, {}, (), (), len(samples), 0, 0)
    made = make_plan(scan, split, stretched(samples, size), category="metal")
    for image in made.images:
        assert image.view.geometry.window == (0, 0, *image.view.geometry.source_size)
        assert image.view.geometry.placement == (0, 0, *image.view.geometry.size)
    places = [image.view.geometry for image in made.images]
    return [(place.source_size, place.size) for place in places]


def test_geometry_stretches_every_image_to_the_size() -> None:
    assert place_one((7, 9)) == [((40, 60), (7, 9)), ((41, 59), (7, 9)), ((42, 58), (7, 9))]


def test_without_a_size_every_image_keeps_its_own() -> None:
    assert place_one("source") == [((40, 60),) * 2, ((41, 59),) * 2, ((42, 58),) * 2]


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 10), (16385, 1), (16384, 16384)])
def test_size_that_cannot_be_made_is_refused(size: Size) -> None:
    with pytest.raises(UsageError, match="out of range"):
        plan(needed(), size=size)


@pytest.mark.parametrize(
    "category", ["metal", "a", "KolektorSDD", "metal_v2.1", "my metal", "Größe", "金属", "a" * 200]
)
def test_category_that_every_system_takes_passes(category: str) -> None:
    assert check_category(category) == category
    assert plan(needed(), category=category).category == category


@pytest.mark.parametrize(
    "category",
    [
        *("", ".", "..", ".hidden", "a/b", "/metal", "metal/", "../metal", "a\\b", "C:", "a*b"),
        *("a\0b", "\0", "a\nb", "a\x1fb", " metal", "metal ", "a" * 201, "ä" * 101, "\udcff" * 67),
        *("metal.", "con", "NUL", "aux.txt"),
    ],
)
def test_category_that_some_system_does_not_take_is_refused(category: str) -> None:
    with pytest.raises(UsageError, match="category"):
        check_category(category)
    with pytest.raises(UsageError, match="category"):
        plan(needed(), category=category)
