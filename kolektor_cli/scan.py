"""From a source to its samples and to findings about everything that is not as it should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import combinations

import numpy as np

from kolektor_cli import images
from kolektor_cli.deviations import deviations
from kolektor_cli.duplicates import THUMBNAIL_LENGTH, connected, similar_pairs
from kolektor_cli.errors import SourceError
from kolektor_cli.examine import Examined, Visit, examine, no_visit
from kolektor_cli.masks import MaskReader
from kolektor_cli.parallel import Progress, no_progress, parallel_map
from kolektor_cli.recognition import find_candidates
from kolektor_cli.records import (
    Duplicate,
    DuplicateKind,
    Finding,
    Sample,
    Scan,
    Severity,
    natural_key,
)
from kolektor_cli.releases import Release, kolektorsdd_boxes
from kolektor_cli.source import Source


def scan_source(
    source: Source,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
    visit: Visit = no_visit,
) -> Scan:
    """Find the samples of a source, which of them are the same picture, and what is wrong.

    Every file is read, hashed and decoded. `jobs` defaults to the number of processors. What is
    decoded is shown to `visit`, from as many threads at once, with each sample as far as it is
    known then: it may be left out later, and its group is its item still.

    Raises
    ------
    SourceError
        The source holds no sample in a layout that is known, or in two, or an item in two places.
    """
    seen = _examine_all(source, jobs, progress, visit)
    release = seen.release
    repeats = _repeated_parts(seen.samples.values(), release)
    rows = {row: sample for row, sample in seen.samples.items() if sample.name not in repeats}
    pairs = _find_duplicates(source, rows, seen.similar)
    contradictions = _contradictions(pairs, release)
    findings = [*seen.findings, *repeats.values(), *contradictions.values()]
    findings += [*_doubts(pairs, contradictions), *_differing_masks(pairs)]
    bad = {name: finding.code for name, finding in (repeats | contradictions).items()}

    samples = _grouped([s for s in rows.values() if s.name not in contradictions], pairs)
    duplicates = [pair for a, b, pair in pairs if not {a.name, b.name} & contradictions.keys()]
    pictures = connected((s.name for s in samples), ((d.first, d.second) for d in duplicates))
    known = release.samples
    return Scan(
        release=release.name if seen.has_official_names else "unknown",
        samples=samples,
        left_out={**seen.left_out, **bad},
        findings=tuple(sorted(findings, key=_finding_key)),
        duplicates=tuple(duplicates),
        distinct=len(set(pictures.values())),
        official_images=sum(map(release.has_image, samples)) if known else None,
        official_masks=sum(map(release.has_mask, samples))
        if known and release.knows_masks
        else None,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the files of a source hold: samples by number, and pairs of these that look alike."""

    release: Release
    has_official_names: bool
    samples: Mapping[int, Sample]
    similar: Sequence[tuple[int, int]]
    left_out: Mapping[str, str]
    findings: Sequence[Finding]


def _examine_all(source: Source, jobs: int | None, progress: Progress, visit: Visit) -> _Seen:
    """Pair the files of a source and examine each pair."""
    release, candidates, findings = find_candidates(source)
    ordered = sorted(candidates, key=natural_key)
    examine_one = partial(examine, source, MaskReader(source), release, candidates, visit)
    examined, similar = _with_similar(examine_one, ordered, jobs, progress)
    release = kolektorsdd_boxes() if _is_of_boxes(release, examined) else release
    findings += [finding for result in examined for finding in result.findings]
    samples = {row: result.sample for row, result in enumerate(examined) if result.sample}
    findings += deviations(release, list(samples.values()), candidates)
    return _Seen(
        release=release,
        has_official_names=bool(release.names & candidates.keys()),
        samples=samples,
        similar=similar,
        left_out={r.name: r.findings[0].code for r in examined if not r.sample},
        findings=findings,
    )


def _with_similar(
    examine_one: Callable[[str], Examined],
    names: Sequence[str],
    jobs: int | None,
    progress: Progress,
) -> tuple[list[Examined], list[tuple[int, int]]]:
    """Examine candidates, and find the pairs of them that look alike, by number.

    Their thumbnails are in one block, a row each, of zeros where there is none: thousands of small
    ones between the buffers of images would keep those from being used again. Of 40 000 images it
    has 40 MB, and is given up before anything else is made.
    """
    thumbnails = np.zeros((len(names), THUMBNAIL_LENGTH), np.int8)

    def examine_at(index: int) -> Examined:
        result = examine_one(names[index])
        if result.thumbnail is not None:
            thumbnails[index] = result.thumbnail
        return replace(result, thumbnail=None)

    examined = parallel_map(examine_at, range(len(names)), jobs, progress)
    return examined, list(similar_pairs(thumbnails, jobs))


def _is_of_boxes(release: Release, examined: Iterable[Examined]) -> bool:
    """Tell whether samples named like KolektorSDD's are its boxes, by most of their masks.

    Two boxes that overlap are no box; of KolektorSDD's own 52 masks none is one.
    """
    boxes = [r.boxes for r in examined if r.sample and r.sample.defect_pixels]
    return not release.splits and 2 * sum(boxes) > len(boxes)


def _finding_key(finding: Finding) -> tuple[object, ...]:
    severities: tuple[Severity, ...] = ("error", "warning", "info")
    return (severities.index(finding.severity), natural_key(finding.path), finding.code)


def _repeated_parts(samples: Iterable[Sample], release: Release) -> dict[str, Finding]:
    """Find samples that the release does not have and whose image file is another one's beside it.

    They are named to be left out: counted, they would be one sample twice.
    """
    samples = list(samples)
    official = {(_folder(s), s.image_sha256): s for s in samples if s.name in release.names}
    repeats = {}
    for sample in samples:
        original = official.get((_folder(sample), sample.image_sha256))
        if original and sample.name not in release.names:
            same = "" if sample.mask_sha256 == original.mask_sha256 else ", with another mask"
            message = f"repeats {original.image}, byte for byte{same}; left out"
            repeats[sample.name] = Finding("warning", "repeated-part", sample.image, message)
    return repeats


def _folder(sample: Sample) -> str:
    return sample.name.rpartition("/")[0]


Pair = tuple[Sample, Sample, Duplicate]


def _find_duplicates(
    source: Source, seen: Mapping[int, Sample], similar: Iterable[tuple[int, int]]
) -> list[Pair]:
    """Find all pairs of samples that are the same picture, in natural order.

    `seen` are samples by number; `similar` pairs may hold numbers of what is no sample.
    """
    indices = {(i, j) for i, j in similar if i in seen and j in seen}
    same_file = defaultdict(list)
    for index, sample in seen.items():
        same_file[sample.image_sha256].append(index)
    # Images without detail correlate with nothing, not even with themselves.
    indices |= {pair for same in same_file.values() for pair in combinations(same, 2)}
    pixels = cache(partial(_pixels_sha256, source))
    pairs = []
    for i, j in sorted(indices):
        first, second = seen[i], seen[j]
        pair = Duplicate(first.name, second.name, _kind(first, second, pixels))
        pairs.append((first, second, pair))
    return pairs


def _kind(first: Sample, second: Sample, pixels: Callable[[str], str]) -> DuplicateKind:
    if first.image_sha256 == second.image_sha256:
        return "file"
    if (first.width, first.height) != (second.width, second.height):
        return "near"
    return "pixels" if pixels(first.image) == pixels(second.image) else "near"


def _pixels_sha256(source: Source, name: str) -> str:
    return images.pixels_sha256(images.decode_image(source.read(name), name))


def _contradictions(pairs: Iterable[Pair], release: Release) -> dict[str, Finding]:
    """Find samples that are the same picture, once good and once defective.

    Pictures that are only alike do not count where the release's are not known to differ enough.
    """
    found = {}
    for first, second, pair in pairs:
        if first.label != second.label and (pair.kind != "near" or release.knows_near):
            for sample, other in ((first, second), (second, first)):
                message = f"is {sample.label}; the same picture {other.image} is {other.label}"
                found[sample.name] = Finding("error", "duplicate-label", sample.image, message)
    return found


def _doubts(pairs: Iterable[Pair], told: Collection[str]) -> Iterator[Finding]:
    """Find pictures that are alike, once good and once defective, and that are both used."""
    for first, second, _ in pairs:
        if first.label != second.label and not {first.name, second.name} & set(told):
            message = f"is {first.label}; {second.image} looks the same and is {second.label}"
            yield Finding("warning", "duplicate-label", first.image, message)


def _differing_masks(pairs: Iterable[Pair]) -> Iterator[Finding]:
    """Find masks that differ although the pixels of their images do not."""
    for first, second, pair in pairs:
        same_label = first.label == second.label
        if pair.kind != "near" and same_label and first.mask_sha256 != second.mask_sha256:
            message = f"and {second.mask} are masks of the same picture, and differ"
            yield Finding("warning", "duplicate-mask", first.mask, message)


def _grouped(samples: Sequence[Sample], pairs: Iterable[Pair]) -> tuple[Sample, ...]:
    """Name the group of each sample: the first of the items that share a picture with its own."""
    items = dict.fromkeys(sample.item for sample in samples)
    kept = {sample.name for sample in samples}
    links = [(a.item, b.item) for a, b, _ in pairs if {a.name, b.name} <= kept]
    groups = connected(items, links)
    return tuple(replace(sample, group=groups[sample.item]) for sample in samples)


def require_usable(found: Scan, *, skip_bad: bool) -> None:
    """Refuse a scan with errors, or with `skip_bad` one that leaves no sample.

    Raises
    ------
    SourceError
        There are errors and `skip_bad` is not given; or no sample is usable.
    """
    if not found.errors or (skip_bad and found.samples):
        return
    first = found.errors[0]
    more = len(found.errors) - 1
    others = f" (and {more} more errors, see 'kolektor inspect')" if more else ""
    advice = "mend the source" if skip_bad else "mend the source, or leave it out with --skip-bad"
    raise SourceError(f"{first.path}: {first.message}{others}; {advice}")
