"""Official images are known by their content, whatever they are called and wherever they lie."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.splitting import split
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import SourceError
from kolektor_cli.raw.drawing import palette_bmp
from kolektor_cli.raw.official import official_names, wrong_labels
from kolektor_cli.raw.releases import OfficialSample, Release, kolektorsdd
from kolektor_cli.samples import Sample
from kolektor_cli.splits.split import SplitOptions
from tests.conftest import SIZE, MakeDataset, write_pair
from tests.samples import make_sample
from tests.scans import message, named, names, scan, unusual

SMALL = ConvertOptions(size=SIZE)


def sample(name: str, content: str, mask: str = "", *, defective: bool = False) -> Sample:
    made = make_sample(name, defective=defective)
    return replace(made, image_sha256=content, mask_sha256=mask or content)


def release(**contents: str) -> Release:
    """Make a release of parts of item a, each with the content of its image and mask."""
    official = {
        f"a/{part}": OfficialSample(f"a/{part}", 1, 1, 0, content, content + part)
        for part, content in contents.items()
    }
    return Release("Toy", frozenset(official), official)


def named_by_content(toy: Release, *samples: Sample) -> dict[str, str]:
    return official_names(toy, samples, {s.name for s in samples})


def test_content_decides_the_name() -> None:
    toy = release(p="1", q="2")
    assert named_by_content(toy, sample("a/p", "1"), sample("x/7", "2")) == {"x/7": "a/q"}
    swapped = named_by_content(toy, sample("a/p", "2"), sample("a/q", "1"))
    assert swapped == {"a/p": "a/q", "a/q": "a/p"}
    assert named_by_content(toy, sample("a/p", "9"), sample("x/7", "8")) == {}


def test_twins_are_told_apart_by_their_masks() -> None:
    toy = release(p="1", q="1")
    found = named_by_content(toy, sample("x/1", "1", "1q"), sample("x/2", "1", "1p"))
    assert found == {"x/1": "a/q", "x/2": "a/p"}
    found = named_by_content(toy, sample("x/1", "1"), sample("x/2", "1"), sample("x/3", "1"))
    assert found == {"x/1": "a/p", "x/2": "a/q"}


def test_name_stays_with_what_has_it_and_is_not_official() -> None:
    toy = release(p="1", q="2", r="3")
    # q would become p, which is taken; so r cannot become q.
    samples = [sample("a/p", "9"), sample("a/q", "1"), sample("a/r", "2")]
    assert named_by_content(toy, *samples) == {}
    assert official_names(toy, samples[1:], {"a/q", "a/r"}) == {"a/q": "a/p", "a/r": "a/q"}


def test_label_of_an_official_image_must_be_the_official_one() -> None:
    toy = release(p="1", q="2")
    samples = [sample("a/p", "1"), sample("x/y", "2", defective=True), sample("a/r", "3")]
    [(name, finding)] = wrong_labels(toy, samples, trust_masks=False).items()
    assert (name, finding.severity, finding.code) == ("x/y", "error", "official-label")
    assert finding.path == "x/y_label.bmp"
    assert wrong_labels(toy, samples, trust_masks=True)["x/y"].severity == "warning"


def test_pairs_in_one_folder_are_read_by_their_names(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset()
    before = scan(root)
    for path in sorted(root.glob("kos*/*")):
        for flat in (tmp_path / "flat/Data", tmp_path / "top"):
            flat.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, flat / f"{path.parent.name}_{path.name}")
    for folder in ("flat", "top"):
        found = scan(tmp_path / folder)
        assert names(found) == names(before)
        assert [s.group for s in found.samples] == [s.group for s in before.samples]
        assert unusual(found) == []
    assert found.samples[0].image == "kos01_Part0.jpg"


def test_pairs_in_folders_by_class_are_read_by_their_names(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    before = scan(root)
    for path in sorted(root.glob("kos*/*")):
        place = root / ("bad/images" if "Part0" in path.name else "good/images")
        place.mkdir(parents=True, exist_ok=True)
        path.rename(place / f"{path.parent.name}_{path.name}")
    found = scan(root)
    assert names(found) == names(before)
    assert unusual(found) == []


def test_name_of_another_item_does_not_overrule_the_folder(make_dataset: MakeDataset) -> None:
    root = make_dataset(items=1)
    write_pair(root / "kos02", "kos01_Part0", seed=9)
    assert names(scan(root))[-1] == "kos02/kos01_Part0"


def test_tree_with_names_of_the_source_is_still_no_source(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    made = convert(root, root.parent / "out", replace(SMALL, names="source"))
    with pytest.raises(SourceError, match="looks like an MVTec-style tree"):
        scan(made.target)


def unzip(zip_path: Path, out: Path, *items: str) -> Path:
    with zipfile.ZipFile(zip_path) as archive:
        for name in archive.namelist():
            if name.partition("/")[0] in items:
                archive.extract(name, out)
    return out


def number(root: Path) -> None:
    """Rename all files to numbers, in one folder."""
    (root / "all").mkdir()
    for index, path in enumerate(sorted(root.glob("kos*/*.jpg"), reverse=True)):
        mask = path.with_name(f"{path.stem}_label.bmp")
        path.rename(root / f"all/{index}.jpg")
        mask.rename(root / f"all/{index}_label.bmp")


def rotate(root: Path) -> None:
    """Give each folder the name of the next."""
    folders = sorted(root.glob("kos*"))
    for folder in folders:
        folder.rename(root / f"x{folder.name}")
    for folder, other in zip(folders, [*folders[1:], folders[0]], strict=True):
        (root / f"x{folder.name}").rename(other)


@pytest.mark.parametrize(("change", "severity"), [(number, "info"), (rotate, "warning")])
def test_renamed_official_files_give_the_same_tree(
    real: Path, tmp_path: Path, change: Callable[[Path], None], severity: str
) -> None:
    root = unzip(real, tmp_path / "raw", "kos01", "kos02", "kos21", "kos26")
    before = scan(root)
    made = convert(root, tmp_path / "before", SMALL)
    change(root)
    found = scan(root)
    assert (found.release, found.official_images) == ("KolektorSDD", 31)
    assert found.official_masks == 31
    assert {s for s, _ in named(found, "renamed")} == {severity}
    assert [(s.name, s.item, s.group) for s in found.samples] == [
        (s.name, s.item, s.group) for s in before.samples
    ]
    assert found.duplicates == before.duplicates
    again = convert(root, tmp_path / "after", SMALL)
    assert made.manifest
    assert again.manifest
    assert again.manifest.files == made.manifest.files
    assert verify(tmp_path / "after", source=root).ok
    assert set(split(root, SplitOptions(protocol="vicos", fold=1)).split.assigned.values()) == {
        *("train", "test", "unused"),
    }


def test_windows_of_renamed_files_are_those_of_their_official_names(
    real: Path, tmp_path: Path
) -> None:
    root = unzip(real, tmp_path / "raw", "kos02", "kos21")
    square = ConvertOptions(fit="square", size=(300, 300))
    made = convert(root, tmp_path / "before", square)
    number(root)
    again = convert(root, tmp_path / "after", square)
    assert made.manifest
    assert again.manifest
    assert again.manifest.fingerprint == made.manifest.fingerprint
    assert verify(tmp_path / "after", source=root).ok


def set_mask(path: Path, *, defective: bool) -> None:
    old = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert old is not None
    mask = np.zeros(old.shape[:2], np.uint8)
    if defective:
        mask[30:40, 50:90] = 1
        mask[39] = np.roll(mask[39], 1)
    path.write_bytes(palette_bmp(mask))


def test_label_that_contradicts_the_release_is_an_error_unless_masks_are_trusted(
    real: Path, tmp_path: Path
) -> None:
    root = unzip(real, tmp_path / "raw", "kos02", "kos03", "kos21")
    facts = kolektorsdd().samples_of("kos02")
    bad = next(s.name for s in facts if s.label == "defective")
    good = next(s.name for s in facts if s.label == "good")
    set_mask(root / f"{bad}_label.bmp", defective=False)
    set_mask(root / f"{good}_label.bmp", defective=True)
    found = scan(root)
    assert named(found, "official-label") == [
        ("error", f"{name}_label.bmp") for name in sorted((bad, good))
    ]
    assert found.left_out == dict.fromkeys((bad, good), "official-label")
    with pytest.raises(SourceError, match="--trust-masks"):
        convert(root, tmp_path / "out", SMALL)
    with pytest.raises(SourceError, match="--trust-masks"):
        split(root)
    made = convert(root, tmp_path / "out", replace(SMALL, trust_masks=True))
    assert made.manifest
    assert made.manifest.options["trust_masks"] is True
    labels = {entry.sample: entry.label for entry in made.manifest.files}
    assert labels[good] == "defective"
    assert labels.get(bad, "good") == "good"
    assert named(made.scan, "official-label")[0][0] == "warning"
    assert verify(tmp_path / "out", source=root).ok
    assert split(root, trust_masks=True).split.assigned[good] == "test"


def test_options_name_trusted_masks_only_if_they_are(make_dataset: MakeDataset) -> None:
    made = convert(make_dataset(), make_dataset().parent / "out", SMALL)
    assert made.manifest
    assert "trust_masks" not in made.manifest.options


def test_masks_of_one_picture_that_differ_officially_are_information(real: Path) -> None:
    found = scan(real)
    assert {s for s, _ in named(found, "duplicate-mask")} == {"info"}
    assert len(named(found, "duplicate-mask")) == 2
    assert [f for f in found.findings if f.severity != "info"] == []
    assert "as in KolektorSDD itself" in next(
        f.message for f in found.findings if f.code == "duplicate-mask"
    )


def test_masks_of_one_picture_that_differ_otherwise_are_a_warning(
    make_dataset: MakeDataset,
) -> None:
    root = make_dataset()
    shutil.copy(root / "kos01/Part0.jpg", root / "kos03/Part0.jpg")
    mask = np.zeros((60, 40), np.uint8)
    mask[3:9, 3:9] = 1
    (root / "kos03/Part0_label.bmp").write_bytes(palette_bmp(mask))
    assert named(scan(root), "duplicate-mask") == [("warning", "kos01/Part0_label.bmp")]
    assert message(scan(root), "duplicate-mask").endswith("and differ")
