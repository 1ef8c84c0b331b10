"""How a dataset differs from its official release: one finding a file, or one for all."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from kolektor_cli.findings import Finding
from kolektor_cli.raw.official import deviations
from kolektor_cli.raw.releases import OfficialSample, Release, kolektorsdd2
from kolektor_cli.samples import Sample
from tests.conftest import MakeDataset, write_pair
from tests.samples import official_2
from tests.scans import message, named, names, scan, unusual

IMAGE, MASK = "kos02/Part1.jpg", "kos02/Part1_label.bmp"


def release_of(samples: tuple[Sample, ...]) -> Release:
    """Make an official release of samples."""
    official = {
        s.name: OfficialSample(
            s.name, s.width, s.height, s.defect_pixels, s.image_sha256, s.mask_sha256
        )
        for s in samples
    }
    return Release("Toy", frozenset(official), official)


def differences(release: Release, samples: list[Sample]) -> list[Finding]:
    return deviations(release, samples, {sample.name for sample in samples})


def test_release_itself_has_no_deviation(make_dataset: MakeDataset) -> None:
    samples = scan(make_dataset()).samples
    assert differences(release_of(samples), list(samples)) == []


@pytest.mark.parametrize(
    ("change", "code", "path", "text"),
    [
        ({"height": 61}, "size", IMAGE, "is 40x61 pixels, officially 40x60"),
        ({"width": 39}, "size", IMAGE, "is 39x60 pixels, officially 40x60"),
        ({"image_sha256": "0" * 64}, "changed-image", IMAGE, "is not the official file"),
        (
            {"mask_sha256": "0" * 64, "defect_pixels": 7},
            "changed-mask",
            MASK,
            "is not the official file: marks 7 pixels, officially 0",
        ),
    ],
)
def test_what_holds_for_one_file_names_it(
    make_dataset: MakeDataset, change: dict[str, str | int], code: str, path: str, text: str
) -> None:
    samples = list(scan(make_dataset()).samples)
    release = release_of(tuple(samples))
    index = [sample.name for sample in samples].index("kos02/Part1")
    samples[index] = replace(samples[index], **change)  # type: ignore[arg-type]
    assert differences(release, samples) == [Finding("warning", code, path, text)]


@pytest.mark.parametrize(
    ("code", "severity"),
    [("size", "warning"), ("changed-image", "info"), ("changed-mask", "info")],
)
def test_what_holds_for_all_files_is_one_finding(
    make_dataset: MakeDataset, code: str, severity: str
) -> None:
    assert named(scan(make_dataset()), code) == [(severity, "")]


def test_missing_parts_are_named(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=3, parts=8)
    assert named(scan(root), "missing-part") == []
    for path in (root / "kos02").glob("Part6*"):
        path.unlink()
    assert named(scan(root), "missing-part") == [("warning", "kos02/Part6")]


def test_missing_items_are_named_and_their_parts_are_not(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=48, parts=1)
    shutil.rmtree(root / "kos07")
    found = scan(root)
    assert named(found, "missing-item") == [
        ("warning", item) for item in ("kos07", "kos49", "kos50")
    ]
    assert ("warning", "kos07/Part0") not in named(found, "missing-part")


def test_small_part_of_the_release_is_one_finding(make_dataset: MakeDataset) -> None:
    found = scan(make_dataset(items=3))
    assert named(found, "missing-item") == [("warning", "")]
    assert "47 of KolektorSDD's 50 items" in message(found, "missing-item")


def test_part_that_is_there_but_bad_is_not_missing(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=1, parts=8)
    (root / "kos01/Part3_label.bmp").unlink()
    assert named(scan(root), "missing-part") == []


def test_extra_item_is_named_once_and_taken(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=1)
    for part in ("Part0", "Part1"):
        write_pair(root / "kos51", part, seed=int(part[-1]))
    found = scan(root)
    assert unusual(found) == [("warning", "extra-item", "kos51")]
    assert names(found)[-2:] == ["kos51/Part0", "kos51/Part1"]


def test_few_images_that_lack_are_named_and_many_are_counted() -> None:
    samples = official_2()
    present = {s.name for s in samples} - {
        "train/10005",
        *(f"test/{n}" for n in range(20000, 20600)),
    }
    found = deviations(kolektorsdd2(), [s for s in samples if s.name in present], present)
    assert [(f.code, f.path) for f in found] == [
        ("missing-item", "test"),
        ("missing-item", "train/10005"),
    ]
    assert found[0].message == "600 of KolektorSDD2's 1004 images are not here"


def test_another_number_of_defective_images_is_told_of_where_all_are_there() -> None:
    samples = official_2()
    present = {s.name for s in samples}
    assert deviations(kolektorsdd2(), samples, present) == []
    assert samples[2331].name == "test/20000"
    fewer = [*samples[:2331], *samples[2332:]]
    assert deviations(kolektorsdd2(), fewer, present) == []
    changed = [*fewer, replace(samples[2331], defect_pixels=0)]
    [finding] = deviations(kolektorsdd2(), changed, present)
    assert (finding.code, finding.path) == ("defective-count", "test")
    assert finding.message == "has 109 defective images, officially 110"
