"""Samples that are the same picture, and findings where their labels or masks differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from kolektor_cli.findings import Finding
from kolektor_cli.imaging.codec import decode_stored
from kolektor_cli.imaging.depth import spread_to_8_bits
from kolektor_cli.imaging.pixels import pixels_sha256, to_gray
from kolektor_cli.imaging.similarity import CloseUp, Pairs, Run, close_up, confirmed_pairs
from kolektor_cli.io.source import Source
from kolektor_cli.raw.releases import Release
from kolektor_cli.samples import Duplicate, DuplicateKind, Sample, connected

Pair = tuple[Sample, Sample, Duplicate]


def find_duplicates(
    source: Source,
    seen: Mapping[int, Sample],
    similar: Iterable[tuple[int, int]],
    run: Run = map,
) -> list[Pair]:
    """Return all pairs of samples that are the same picture, in natural order.

    `seen` maps numbers to samples. `similar` holds candidates, which are decoded again for a closer
    look, unless their files are equal; those with other numbers are ignored. `run` calls functions
    like ``map``, and may use threads.
    """
    same_file = defaultdict(list)
    for index, sample in seen.items():
        same_file[sample.image_sha256].append(index)
    # Equal files are paired by hash: an image without detail correlates with nothing.
    kinds: dict[tuple[int, int], DuplicateKind] = {
        pair: "file" for same in same_file.values() for pair in combinations(same, 2)
    }
    candidates = {(i, j) for i, j in similar if i in seen and j in seen}
    kinds |= _kinds_on_closer_look(source, seen, sorted(candidates - kinds.keys()), run)
    return [
        (seen[i], seen[j], Duplicate(seen[i].name, seen[j].name, kind))
        for (i, j), kind in sorted(kinds.items())
    ]


def _kinds_on_closer_look(
    source: Source, seen: Mapping[int, Sample], candidates: Pairs, run: Run
) -> dict[tuple[int, int], DuplicateKind]:
    """Return the kinds of the candidates that are the same picture."""
    hashes: dict[int, str] = {}

    def look(index: int) -> CloseUp:
        name = seen[index].image
        samples = decode_stored(source.read(name), name).colors
        hashes[index] = pixels_sha256(samples)
        return close_up(to_gray(spread_to_8_bits(samples)))

    def facts(index: int) -> tuple[int, int, str]:
        return seen[index].width, seen[index].height, hashes[index]

    return {
        (i, j): "pixels" if facts(i) == facts(j) else "near"
        for i, j in confirmed_pairs(candidates, look, run)
    }


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
        if first.label != second.label and not {first.name, second.name} & set(told):
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


def with_groups(samples: Sequence[Sample], pairs: Iterable[Pair]) -> tuple[Sample, ...]:
    """Return samples with their group: the first of the items that shared pictures link."""
    items = dict.fromkeys(sample.item for sample in samples)
    kept = {sample.name for sample in samples}
    links = [(a.item, b.item) for a, b, _ in pairs if {a.name, b.name} <= kept]
    groups = connected(items, links)
    return tuple(replace(sample, group=groups[sample.item]) for sample in samples)
