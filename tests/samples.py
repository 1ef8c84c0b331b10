"""Samples to split and to lay out, without files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from kolektor_cli.imaging.geometry import Size
from kolektor_cli.raw.releases import KOLEKTORSDD2_DEFECTIVE, KOLEKTORSDD2_NUMBERS, kolektorsdd
from kolektor_cli.samples import Duplicate, Sample, connected
from kolektor_cli.splits.pickles import read_pickled_lists
from kolektor_cli.splits.protocols import VICOS_TEST_ITEMS
from kolektor_cli.splits.split import Split

Dataset = tuple[tuple[Sample, ...], tuple[Duplicate, ...]]


def make_sample(name: str, *, defective: bool = False, size: Size = (500, 1250)) -> Sample:
    item = name.partition("/")[0]
    files = (f"{name}.jpg", f"{name}_label.bmp")
    return Sample(name, item, item, *files, *size, 9 * defective, name, name)


def with_groups(samples: Sequence[Sample], pairs: Sequence[tuple[Sample, Sample]]) -> Dataset:
    """Link samples as duplicates, and name the groups of their items."""
    items = dict.fromkeys(sample.item for sample in samples)
    groups = connected(items, [(a.item, b.item) for a, b in pairs])
    return (
        tuple(replace(sample, group=groups[sample.item]) for sample in samples),
        tuple(Duplicate(a.name, b.name, "near") for a, b in pairs),
    )


def official(*, linked: bool = True) -> Dataset:
    """Make the structure of KolektorSDD, with its duplicates."""
    samples = [
        make_sample(name, defective=facts.defect_pixels > 0)
        for name, facts in kolektorsdd().samples.items()
    ]
    by_name = {sample.name: sample for sample in samples}
    links = [(f"kos01/Part{part}", f"kos26/Part{part}") for part in range(8)]
    links += [(f"kos27/Part{part}", f"kos34/Part{part}") for part in range(8)]
    links += [(f"kos38/Part{p}", f"kos39/Part{q}") for p, q in enumerate((6, 7, 0, 1, 2, 3, 4, 5))]
    return with_groups(samples, [(by_name[a], by_name[b]) for a, b in links if linked])


def official_2() -> tuple[Sample, ...]:
    """Make the structure of KolektorSDD2; the first images of each folder are defective."""
    samples = []
    for split, numbers in KOLEKTORSDD2_NUMBERS.items():
        for index, number in enumerate(numbers):
            defective = index < KOLEKTORSDD2_DEFECTIVE[split]
            sample = make_sample(f"{split}/{number}", defective=defective)
            item = str(number)
            samples.append(replace(sample, item=item, group=item, official_split=split))
    return tuple(samples)


def make_samples(good: int = 9, defective: int = 3) -> tuple[Sample, ...]:
    return tuple(
        make_sample(f"kos{number // 4 + 1:02}/Part{number % 4}", defective=number < defective)
        for number in range(good + defective)
    )


# Python's csv module before 3.13 writes a carriage return so that it does not read it back.
letters = st.characters(codec="utf-8", exclude_characters="\0\r")
sample_names = st.text(letters, min_size=1).map("item/{}".format)


@st.composite
def sample_tuples(draw: st.DrawFn) -> tuple[Sample, ...]:
    """Draw samples of which one is defective at least, and one more good than defective."""
    names = draw(st.lists(sample_names, min_size=3, max_size=40, unique=True))
    defective = draw(st.integers(1, (len(names) - 1) // 2))
    return tuple(make_sample(name, defective=index < defective) for index, name in enumerate(names))


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Draw items with good and defective parts, some of which are pictures of each other."""
    samples = []
    for item in range(draw(st.integers(2, 12))):
        labels = draw(
            st.lists(st.sampled_from([False, False, False, True]), min_size=1, max_size=6)
        )
        samples += [
            make_sample(f"kos{item:02}/Part{part}", defective=defective)
            for part, defective in enumerate(labels)
        ]
    count = len(samples)
    places = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = [
        (samples[min(pair)], samples[max(pair)])
        for pair in draw(st.lists(places, max_size=8))
        if pair[0] != pair[1] and samples[pair[0]].label == samples[pair[1]].label
    ]
    return with_groups(samples, pairs)


seeds = st.integers(0, 2**64)
fractions = st.floats(0, 1, exclude_max=True)


# The contents of the authors' pickles, in the form of today and in an older one.
TEST = [sorted(fold) for fold in VICOS_TEST_ITEMS]
TRAIN = [sorted(set().union(*VICOS_TEST_ITEMS) - fold) for fold in VICOS_TEST_ITEMS]
NEWER = ([[(i, True) for i in f] for f in TRAIN], [[(i, True) for i in f] for f in TEST])
NUMBERS = tuple([(number, True) for number in n] for n in KOLEKTORSDD2_NUMBERS.values())
OLDER = (TRAIN, TEST, sorted(set().union(*VICOS_TEST_ITEMS)))


def count_samples(split: Split, samples: Iterable[Sample]) -> Counter[tuple[str, str]]:
    """Return the numbers of samples, by split and label."""
    return Counter((split.assigned[sample.name], sample.label) for sample in samples)


def read_pickled_folds(data: bytes, name: str) -> tuple[tuple[str, ...], ...]:
    """Return the tested items of each fold in the authors' pickle of KolektorSDD."""
    return tuple(tuple(test) for _, test in read_pickled_lists(data, name))
