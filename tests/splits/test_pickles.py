"""The authors' pickles are read in both forms; one that would do anything is refused."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pytest

from kolektor_cli.errors import SplitFileError
from kolektor_cli.samples import Sample
from kolektor_cli.splits.files import read_split
from kolektor_cli.splits.pickles import pickle_numbers, read_pickled_numbers
from kolektor_cli.splits.protocols import VICOS_TEST_ITEMS, vicos
from kolektor_cli.splits.protocols import official as official_split
from tests.samples import (
    NEWER,
    NUMBERS,
    OLDER,
    TEST,
    TRAIN,
    make_sample,
    official,
    official_2,
    read_pickled_folds,
)


class Command:
    """Pickles to a call of `function` with one argument."""

    def __init__(self, function: Any, argument: str) -> None:
        self.call = (function, (argument,))

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("content", [NEWER, OLDER, list(NEWER)], ids=["newer", "older", "list"])
@pytest.mark.parametrize("protocol", range(2, 6))
def test_both_published_forms_give_the_authors_folds(content: Any, protocol: int) -> None:
    samples, _ = official()
    data = pickle.dumps(content, protocol)
    for fold in range(3):
        split = read_split(data, samples, "split.pyb", fold=fold)
        assert split.assigned == vicos(samples, fold=fold).assigned
        assert split.parameters == {"fold": fold}


def test_published_file_is_read(real: Path) -> None:
    published = real.parent / "splits" / "KSDD_split_33_33.pyb"
    folds = read_pickled_folds(published.read_bytes(), "published")
    assert tuple(map(frozenset, folds)) == VICOS_TEST_ITEMS


@pytest.mark.parametrize("function", [open, eval, print, bytearray, frozenset, io.BytesIO])
def test_pickle_that_asks_for_more_is_refused_by_name_and_runs_nothing(
    function: Any, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    data = pickle.dumps((NEWER[0], [Command(function, str(victim))]))
    with pytest.raises(SplitFileError, match=rf"split\.pyb.* asks for .*\.{function.__name__}"):
        read_split(data, official()[0], "split.pyb", fold=0)
    assert not victim.exists()


def test_pickle_that_would_run_a_command_runs_none(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    data = b"\x80\x02cposix\nsystem\nX" + len(f"touch {victim}").to_bytes(4, "little")
    data += f"touch {victim}".encode() + b"\x85R."
    with pytest.raises(SplitFileError, match=r"posix\.system"):
        read_split(data, official()[0], "split.pyb", fold=0)
    assert not victim.exists()


def test_every_cut_of_a_pickle_is_refused() -> None:
    data = pickle.dumps((TRAIN[:1], TEST[:1]))
    for length in range(1, len(data)):
        with pytest.raises(SplitFileError, match=r"split\.pyb"):
            read_split(data[:length], official()[0], "split.pyb", fold=0)


@pytest.mark.parametrize(
    "content",
    [[], [1], {"train": 1, "test": 2}, ([], [[1]]), ([], [[(1, True)]]), ([], [[[]]]), "text", 5],
    ids=str,
)
def test_pickle_of_another_form_is_refused(content: Any) -> None:
    with pytest.raises(SplitFileError, match=r"split\.pyb"):
        read_split(pickle.dumps(content), official()[0], "split.pyb", fold=0)


@pytest.mark.parametrize("fold", [None, 3, -1])
def test_fold_must_be_one_of_the_file(fold: int | None) -> None:
    with pytest.raises(SplitFileError, match="folds 0 to 2; choose with --fold"):
        read_split(pickle.dumps(NEWER), official()[0], "split.pyb", fold=fold)


def test_fold_of_items_that_the_source_has_not_is_refused() -> None:
    samples: list[Sample] = [make_sample("kos01/Part0", defective=False)]
    with pytest.raises(SplitFileError, match="fold 0 tests kos02, which is not in the source"):
        read_split(pickle.dumps(NEWER), samples, "split.pyb", fold=0)


def test_fold_is_not_for_csv() -> None:
    with pytest.raises(SplitFileError, match="has no folds"):
        read_split(b"sample,split\n", official()[0], "split.csv", fold=0)


def test_published_file_of_kolektorsdd2_is_its_official_split(real: Path) -> None:
    published = real.parent / "splits" / "KSDD2_split_246.pyb"
    samples = official_2()
    split = read_split(published.read_bytes(), samples, "published")
    assert split.assigned == official_split(samples).assigned
    assert (split.protocol, split.parameters) == ("file", {})


@pytest.mark.parametrize("protocol", range(2, 6))
def test_numbers_select_samples_whatever_their_folder(protocol: int) -> None:
    samples = official_2()
    # Of 10000 to 12330 the first 246 are defective, of 20000 on the first 110.
    chosen = ([(10000, True), (10300, True), (20500, True)], [(20000, True), (10301, False)])
    split = read_split(pickle.dumps(chosen, protocol), samples, "split.pyb")
    assert {name: side for name, side in split.assigned.items() if side != "unused"} == {
        "train/10300": "train",
        "test/20500": "train",
        "test/20000": "test",
        "train/10301": "test",
    }
    assert split.assigned.keys() == {sample.name for sample in samples}


def test_number_that_the_source_has_not_is_refused() -> None:
    samples = [sample for sample in official_2() if sample.item != "20500"]
    with pytest.raises(SplitFileError, match=r"split\.pyb: names the image 20500, which"):
        read_split(pickle.dumps(NUMBERS), samples, "split.pyb")


def test_number_on_both_sides_is_refused() -> None:
    data = pickle.dumps(([(10000, True)], [(10000, True)]))
    with pytest.raises(SplitFileError, match="names the image 10000 both to train on and to test"):
        read_split(data, official_2(), "split.pyb")


def test_fold_is_not_for_kolektorsdd2() -> None:
    with pytest.raises(SplitFileError, match="has no folds: leave out --fold"):
        read_split(pickle.dumps(NUMBERS), official_2(), "split.pyb", fold=0)


@pytest.mark.parametrize("content", [NEWER, OLDER, OLDER[:2]], ids=["newer", "older", "cut"])
def test_folds_of_kolektorsdd_are_refused_for_kolektorsdd2(content: Any) -> None:
    with pytest.raises(SplitFileError, match=r"split\.pyb: is not a .*KolektorSDD2"):
        read_split(pickle.dumps(content), official_2(), "split.pyb")


def test_split_of_kolektorsdd2_is_refused_for_kolektorsdd() -> None:
    for fold in (None, 0):
        with pytest.raises(SplitFileError, match=r"is not a pickle of KolektorSDD's folds"):
            read_split(pickle.dumps(NUMBERS), official()[0], "split.pyb", fold=fold)


@pytest.mark.parametrize(
    "content", [[], [1, 2], ([1], [2]), ([("a", True)], []), ([([], 1)], []), "text", 5], ids=str
)
def test_pickle_that_is_no_split_of_kolektorsdd2_is_refused(content: Any) -> None:
    with pytest.raises(SplitFileError, match=r"split\.pyb"):
        read_split(pickle.dumps(content), official_2(), "split.pyb")


def test_written_pickles_are_read_again_and_have_the_same_bytes() -> None:
    train, test = [(10001, True), (10000, False)], [(20000, True)]
    data = pickle_numbers(iter(train), test)
    assert data == pickle_numbers(train, test)
    assert pickle.loads(data) == (train, test)
    assert read_pickled_numbers(data, "split_weakly_1.pyb") == (dict(train), dict(test))
