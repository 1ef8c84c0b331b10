"""The authors' lists are used as they are, with what they say of pixel labels."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.errors import SplitFileError
from kolektor_cli.samples import Sample
from kolektor_cli.splits.files import COLUMNS, SEGMENTED, read_split, split_bytes
from kolektor_cli.splits.protocols import balanced, vicos
from kolektor_cli.splits.split import Split, SplitName, count_segmented
from tests.samples import NEWER, OLDER, make_samples, official, official_2


def few(*items: str, segmented: bool = True) -> bytes:
    """Pickle the authors' folds, with only some items to train on."""
    return pickle.dumps(([[(item, segmented) for item in items]] * 3, NEWER[1]))


def items_of(samples: tuple[Sample, ...], split: Split, name: SplitName) -> set[str]:
    return {sample.item for sample in samples if split.assigned[sample.name] == name}


def test_items_that_are_not_listed_are_unused() -> None:
    samples, _ = official()
    split = read_split(few("kos04", "kos05"), samples, "split.pyb", fold=0)
    assert items_of(samples, split, "train") == {"kos04", "kos05"}
    assert {n for n, s in split.assigned.items() if s == "test"} == {
        n for n, s in vicos(samples, fold=0).assigned.items() if s == "test"
    }
    assert split.assigned["kos01/Part0"] == "unused"
    assert split.assigned.keys() == {sample.name for sample in samples}


@pytest.mark.parametrize("segmented", [True, False])
def test_pixel_labels_are_those_of_the_list(segmented: bool) -> None:
    samples, _ = official()
    split = read_split(few("kos04", segmented=segmented), samples, "split.pyb", fold=0)
    assert {split.segmented[f"kos04/Part{part}"] for part in range(8)} == {segmented}
    assert split.segmented["kos02/Part0"] is True
    assert "kos01/Part0" not in split.segmented
    counts = count_segmented(split, samples)
    assert counts is not None
    assert (counts.listed, counts.segmented) == (8, 8 * segmented)
    assert (counts.defective, counts.defective_segmented) == (1, segmented)


def test_older_form_says_nothing_of_pixel_labels() -> None:
    samples, _ = official()
    split = read_split(pickle.dumps(OLDER), samples, "split.pyb", fold=0)
    assert split.segmented == {}
    assert count_segmented(split, samples) is None


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (["kos99"], "fold 0 trains on kos99, which is not in the source"),
        (["kos02"], "names the item kos02 both to train on and to test"),
    ],
)
def test_items_to_train_on_are_checked(train: list[str], message: str) -> None:
    with pytest.raises(SplitFileError, match=message):
        read_split(few(*train), official()[0], "split.pyb", fold=0)


@pytest.mark.parametrize("value", [2, "yes", None, [], 0.5])
def test_what_is_no_truth_value_is_refused(value: object) -> None:
    folds = pickle.dumps(([[("kos04", value)]] * 3, NEWER[1]))
    with pytest.raises(SplitFileError, match=r"split\.pyb: is not a pickle of KolektorSDD's"):
        read_split(folds, official()[0], "split.pyb", fold=0)
    numbers = pickle.dumps(([(10000, value)], [(20000, True)]))
    with pytest.raises(SplitFileError, match=r"split\.pyb: is not a pickle of KolektorSDD2's"):
        read_split(numbers, official_2(), "split.pyb")


def test_csv_has_the_column_only_if_it_is_known() -> None:
    samples, _ = official()
    assert split_bytes(balanced(samples), samples).splitlines()[0].decode() == ",".join(COLUMNS)
    split = read_split(few("kos04", segmented=False), samples, "split.pyb", fold=0)
    lines = split_bytes(split, samples).decode().splitlines()
    assert lines[0] == ",".join((*COLUMNS, SEGMENTED))
    rows = {line.partition(",")[0]: line.rpartition(",")[2] for line in lines}
    assert (rows["kos04/Part0"], rows["kos02/Part0"], rows["kos01/Part0"]) == ("false", "true", "")


segments = st.lists(st.sampled_from([None, True, False]), min_size=12, max_size=12)


@given(segments)
def test_csv_gives_pixel_labels_back(known: list[bool | None]) -> None:
    samples = make_samples()
    told = {s.name: k for s, k in zip(samples, known, strict=True) if k is not None}
    split = Split("file", {}, dict.fromkeys((s.name for s in samples), "unused"), told)
    assert read_split(split_bytes(split, samples), samples, "split.csv") == split


@pytest.mark.parametrize(("text", "truth"), [("TRUE", True), ("False", False), ("1", True)])
def test_truth_values_of_other_programs_are_read(text: str, truth: bool) -> None:
    samples = make_samples(1, 0)
    data = f"sample,split,segmented\n{samples[0].name},train,{text}\n".encode()
    assert read_split(data, samples, "split.csv").segmented == {samples[0].name: truth}


def test_wrong_truth_value_names_its_line() -> None:
    samples = make_samples(1, 0)
    data = f"sample,split,segmented\n{samples[0].name},train,maybe\n".encode()
    with pytest.raises(SplitFileError, match=r"split\.csv, line 2: 'maybe' in segmented"):
        read_split(data, samples, "split.csv")


@pytest.mark.parametrize("listed", [5, 10, 15, 20, 25, 33])
@pytest.mark.parametrize("fold", range(3))
def test_published_folds_train_on_the_listed_items(real: Path, listed: int, fold: int) -> None:
    samples, _ = official()
    data = (real.parent / f"splits/KSDD/split_{listed}_{listed}.pyb").read_bytes()
    split = read_split(data, samples, "published", fold=fold)
    assert len(items_of(samples, split, "train")) == listed + (listed == 33 and fold == 2)
    if listed == 33:
        assert split.assigned == vicos(samples, fold=fold).assigned


def test_listed_defective_samples_train_if_asked_for() -> None:
    samples, _ = official()
    data = few("kos04", "kos05", segmented=False)
    usual = read_split(data, samples, "split.pyb", fold=0)
    split = read_split(data, samples, "split.pyb", fold=0, train_defects="train")
    moved = {n for n, side in split.assigned.items() if side != usual.assigned[n]}
    assert moved == {s.name for s in samples if s.item in ("kos04", "kos05") and s.defect_pixels}
    assert {split.assigned[name] for name in moved} == {"train"}
    assert split.segmented == usual.segmented
    assert (usual.parameters, split.parameters) == (
        {"fold": 0}, {"fold": 0, "train_defects": "train"},
    )  # fmt: skip


@pytest.mark.parametrize("segmented", [0, 5, 10, 15, 20, 33])
def test_published_folds_say_what_is_segmented(real: Path, segmented: int) -> None:
    samples, _ = official()
    data = (real.parent / f"splits/KSDD/split_33_{segmented}.pyb").read_bytes()
    split = read_split(data, samples, "published", fold=0)
    labelled = {s.item for s in samples if split.segmented.get(s.name)}
    assert len(labelled - items_of(samples, split, "test")) == segmented


@pytest.mark.parametrize("segmented", [0, 16, 53, 126, 246])
def test_published_numbers_say_what_is_segmented(real: Path, segmented: int) -> None:
    samples = official_2()
    data = (real.parent / f"splits/KSDD2/split_{segmented}.pyb").read_bytes()
    split = read_split(data, samples, "published")
    counts = count_segmented(split, samples)
    assert counts is not None
    assert (counts.listed, counts.segmented) == (2331, 2085 + segmented)
