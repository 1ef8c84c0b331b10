"""Samples that are the same picture, and findings where their labels or masks differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from kolektor_cli.findings import Finding
from kolektor_cli.imaging.codec import decode_stored
from kolektor_cli.imaging.depth import spread_to_8_bits
from kolektor_cli.imaging.pixels import pixels_sha256, to_gray
from kolektor_cli.imaging.similarity import (
    Chosen,
    CloseUp,
    Indices,
    Run,
    Thumbnails,
    close_up,
    find_same,
)
from kolektor_cli.io.source import Source
from kolektor_cli.raw.releases import Release
from kolektor_cli.samples import MANY_ALIKE, Duplicate, DuplicateKind, Sample, connected

Pair = tuple[Sample, Sample, Duplicate]


@dataclass(frozen=True, slots=True)
class SamePictures:
    """Samples that are the same picture.

    `few` has all pairs, by number, of pictures of at most `MANY_ALIKE` samples; `many` has the
    samples of each larger picture. `pixels` has what is equal for equal pixels alone, by the
    SHA-256 of an image's file; of a file that is like no other, nothing.
    """

    samples: Sequence[Sample]
    few: Collection[tuple[int, int]]
    many: Sequence[Sequence[int]]
    pixels: Mapping[str, Hashable]

    def pairs(self, without: Collection[str] = ()) -> list[Pair]:
        """Return the pairs that `Scan.duplicates` tells, in natural order, without some samples."""
        told = set(self.few)
        for picture in self.many:
            told |= self._links([n for n in picture if self.samples[n].name not in without])
        pairs = [(self.samples[i], self.samples[j]) for i, j in sorted(told)]
        return [
            (first, second, Duplicate(first.name, second.name, self._kind(first, second)))
            for first, second in pairs
            if first.name not in without and second.name not in without
        ]

    def _links(self, picture: Sequence[int]) -> set[tuple[int, int]]:
        """Return all pairs of a picture; of very many samples, those that tell what is the same.

        Each is paired with the first sample of each label, of the picture and of its own pixels.
        """
        if len(picture) <= MANY_ALIKE:
            return set(combinations(picture, 2))
        links = self._star(picture)
        for same in _grouped(map(self._pixels_of, picture), picture):
            links |= set(combinations(same, 2)) if len(same) <= MANY_ALIKE else self._star(same)
        return links

    def _pixels_of(self, index: int) -> Hashable:
        sha256 = self.samples[index].image_sha256
        return self.pixels.get(sha256, sha256)

    def _star(self, picture: Sequence[int]) -> set[tuple[int, int]]:
        """Return the pairs of samples with the first one of each label."""
        firsts = {self.samples[index].label: index for index in reversed(picture)}
        return {
            (min(first, index), max(first, index))
            for first in firsts.values()
            for index in picture
            if index != first
        }

    def _kind(self, first: Sample, second: Sample) -> DuplicateKind:
        if first.image_sha256 == second.image_sha256:
            return "file"
        same = self.pixels[first.image_sha256] == self.pixels[second.image_sha256]
        return "pixels" if same else "near"


class _Pictures:
    """Groups of samples, by number, that grow as pairs are found to be the same picture."""

    def __init__(self, number: int) -> None:
        self._names = np.arange(number)
        self._sizes = np.ones(number, np.intp)
        self._members: dict[int, list[int]] = {}

    def join(self, i: int, j: int) -> None:
        """Make one group of the groups of two samples."""
        less, more = sorted(self._names[[i, j]].tolist(), key=self._sizes.__getitem__)
        if less == more:
            return
        moved = self._members.pop(less, [less])
        self._members.setdefault(more, [more]).extend(moved)
        self._names[moved] = more
        self._sizes[more] += len(moved)

    def settled(self, i: int, others: Indices) -> Chosen:
        """Return which other samples are already in one group with a sample, and it is large."""
        name = self._names[i]
        together = self._names[others] == name
        return np.asarray(together & (self._sizes[name] > MANY_ALIKE), np.bool_)

    def large(self) -> list[list[int]]:
        """Return the groups of more than `MANY_ALIKE` samples."""
        return [sorted(group) for group in self._members.values() if len(group) > MANY_ALIKE]


def find_duplicates(
    source: Source,
    samples: Sequence[Sample],
    thumbnails: Thumbnails,
    run: Run = map,
    *,
    near: bool = True,
) -> SamePictures:
    """Return which samples are the same picture.

    `samples` are in natural order; `thumbnails` has a row for each. Those that look alike are
    decoded again for a closer look, unless their files are equal; without `near`, those with equal
    thumbnails, and only equal pixels are the same picture. `run` calls functions like ``map``, and
    may use threads.
    """
    same_file: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        same_file[sample.image_sha256].append(index)
    # Equal files are paired by hash: an image without detail correlates with nothing.
    found: set[tuple[int, int]] = set()
    pictures = _Pictures(len(samples))
    for same in same_file.values():
        for index in same[1:]:
            pictures.join(same[0], index)
        if len(same) <= MANY_ALIKE:
            found.update(combinations(same, 2))
    files = np.asarray([same_file[sample.image_sha256][0] for sample in samples], np.intp)
    look = _Look(source, samples)

    def wanted(index: int, others: Indices) -> Chosen:
        other_file = files[others] != files[index]
        return np.asarray(other_file & ~pictures.settled(index, others), np.bool_)

    pairs = find_same(thumbnails, look, wanted, run) if near else _find_equal(look, thumbnails, run)
    for i, j in pairs:
        found.add((i, j))
        pictures.join(i, j)
    many = pictures.large()
    in_many = {index for picture in many for index in picture}
    few = {pair for pair in found if pair[0] not in in_many}
    return SamePictures(samples, few, many, look.pixels)


def _find_equal(look: _Look, thumbnails: Thumbnails, run: Run) -> Iterator[tuple[int, int]]:
    """Yield pairs of images with equal pixels: all, or of very many those with the first one."""
    for alike in _grouped(map(bytes, thumbnails), range(len(thumbnails))):
        files = look.files_of(alike)
        if len(files) < 2:
            continue
        for _ in run(look, files):
            pass
        for same in _grouped(map(look.pixels_of, alike), alike):
            few = len(same) <= MANY_ALIKE
            yield from combinations(same, 2) if few else ((same[0], other) for other in same[1:])


def _grouped(keys: Iterable[Hashable], numbers: Sequence[int]) -> list[list[int]]:
    """Return the numbers that have equal keys, in groups of two or more."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for key, number in zip(keys, numbers, strict=True):
        groups[key].append(number)
    return [group for group in groups.values() if len(group) > 1]


class _Look:
    """Decodes samples again, by number, and keeps size and hash of their pixels, by file."""

    def __init__(self, source: Source, samples: Sequence[Sample]) -> None:
        self._source = source
        self._samples = samples
        self.pixels: dict[str, Hashable] = {}

    def __call__(self, index: int) -> CloseUp:
        sample = self._samples[index]
        pixels = decode_stored(self._source.read(sample.image), sample.image).colors
        self.pixels[sample.image_sha256] = (pixels.shape[:2], pixels_sha256(pixels))
        return close_up(to_gray(spread_to_8_bits(pixels)))

    def files_of(self, indices: Sequence[int]) -> list[int]:
        """Return one sample of each distinct file of some samples."""
        return list({self._samples[index].image_sha256: index for index in indices}.values())

    def pixels_of(self, index: int) -> Hashable:
        """Return what is equal for equal pixels alone, of a sample that was looked at."""
        return self.pixels[self._samples[index].image_sha256]


def find_contradictions(pairs: Iterable[Pair], release: Release) -> dict[str, Finding]:
    """Return an error, by name, for each sample that is the same picture as one of another label.

    Near duplicates count only if the release has `knows_near`.
    """
    found = {}
    for first, second, pair in pairs:
        if first.label != second.label and (pair.kind != "near" or release.knows_near):
            for sample, other in ((first, second), (second, first)):
                message = f"is {sample.label}; the same picture {other.image} is {other.label}"
                found[sample.name] = Finding("error", "duplicate-label", sample.image, message)
    return found


def find_doubts(pairs: Iterable[Pair], told: Collection[str]) -> Iterator[Finding]:
    """Yield a warning for each pair of different labels, unless one sample is in `told`."""
    for first, second, _ in pairs:
        is_told = first.name in told or second.name in told
        if first.label != second.label and not is_told:
            message = f"is {first.label}; {second.image} looks the same and is {second.label}"
            yield Finding("warning", "duplicate-label", first.image, message)


def find_differing_masks(pairs: Iterable[Pair], release: Release) -> Iterator[Finding]:
    """Yield a finding for each pair of images with equal pixels whose masks differ.

    It is a warning, or information if both masks are the official ones of `release`.
    """
    for first, second, pair in pairs:
        same_label = first.label == second.label
        differ = first.mask_sha256 != second.mask_sha256 and first.mask and second.mask
        if pair.kind != "near" and same_label and differ:
            message = f"and {second.mask} are masks of the same picture, and differ"
            if release.knows_masks and release.has_mask(first) and release.has_mask(second):
                message += f", as in {release.name} itself"
                yield Finding("info", "duplicate-mask", first.mask, message)
            else:
                yield Finding("warning", "duplicate-mask", first.mask, message)


def find_too_alike(
    samples: Sequence[Sample], duplicates: Sequence[Duplicate], distinct: int, release: Release
) -> Iterator[Finding]:
    """Yield a warning if near duplicates leave few pictures, where they were not measured.

    A fixed camera makes pictures of different parts look the same.
    """
    if release.knows_near:
        return
    equal = ((pair.first, pair.second) for pair in duplicates if pair.kind != "near")
    exact = len(set(connected((sample.name for sample in samples), equal).values()))
    if 2 * distinct < exact:
        message = (
            f"{exact} pictures look like {distinct}; if they show different parts, "
            "'--duplicates exact' keeps them apart"
        )
        yield Finding("warning", "too-alike", "", message)


def with_groups(samples: Sequence[Sample], pairs: Iterable[Pair]) -> tuple[Sample, ...]:
    """Return samples with their group: the first of the items that shared pictures link.

    `pairs` are of these samples.
    """
    items = dict.fromkeys(sample.item for sample in samples)
    groups = connected(items, ((a.item, b.item) for a, b, _ in pairs))
    return tuple(replace(sample, group=groups[sample.item]) for sample in samples)
