"""The scan of a source: its samples, the duplicates among them, and findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from kolektor_cli.findings import Finding, Severity
from kolektor_cli.imaging.depth import Depth
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.similarity import THUMBNAIL_LENGTH, similar_pairs
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.io.source import Source
from kolektor_cli.raw.duplicates import (
    find_contradictions,
    find_differing_masks,
    find_doubts,
    find_duplicates,
    with_groups,
)
from kolektor_cli.raw.images import told_once
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.raw.layouts import find_candidates
from kolektor_cli.raw.masks import MaskReader
from kolektor_cli.raw.official import deviations, official_names, renamings, wrong_labels
from kolektor_cli.raw.reading import Derive, Derived, Examined, examine
from kolektor_cli.raw.releases import Release, kolektorsdd_boxes
from kolektor_cli.samples import Duplicate, Sample, connected, natural_key


@dataclass(frozen=True, slots=True)
class Scan:
    """What a source holds.

    Attributes
    ----------
    release
        Name of the release, or ``unknown``.
    samples
        The usable samples, in natural order of their names.
    left_out
        Names of candidates that are no usable sample, with the code of the finding that says why.
    findings
        Findings, sorted by severity and path.
    duplicates
        All pairs of samples that are the same picture.
    distinct
        Number of distinct pictures.
    official_images, official_masks
        Numbers of files that are, byte for byte, those of the release; None if these are not known.
    layout
        How the source was read, with the name of the layout that was recognised.
    """

    release: str
    samples: tuple[Sample, ...]
    left_out: Mapping[str, str]
    findings: tuple[Finding, ...]
    duplicates: tuple[Duplicate, ...]
    distinct: int
    official_images: int | None
    official_masks: int | None
    layout: LayoutOptions = KOLEKTOR_LAYOUT

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that prevent a conversion."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def scan_source(
    source: Source,
    *,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    depth: Depth = None,
    trust_masks: bool = False,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Scan:
    """Return the samples of a source, the duplicates among them, and findings.

    Files are paired, and masks read, by `layout`. Every file is read, hashed and decoded. Images of
    16 bits are reduced by `depth`, which changes nothing but findings. With `trust_masks`, a label
    that contradicts the official one of the same image is a warning, and else an error. `jobs`
    defaults to the number of processors.

    Raises
    ------
    SourceError
        The source holds no sample in a known layout, or samples in two layouts, or an item in two
        places.
    """
    return scan_and_derive(
        source,
        _derive_nothing,
        layout=layout,
        depth=depth,
        trust_masks=trust_masks,
        jobs=jobs,
        progress=progress,
    )[0]


def _derive_nothing(_sample: Sample, _image: Pixels, _mask: Pixels | None) -> None:
    """Return nothing."""


def scan_and_derive(
    source: Source,
    derive: Derive[Derived],
    *,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    depth: Depth = None,
    trust_masks: bool = False,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> tuple[Scan, dict[str, Derived]]:
    """Return the scan of a source, and what `derive` returns for each sample, by name.

    Each file is decoded once for both. Several threads call `derive` at once, before duplicates and
    official images are known: a sample may be left out later, or get its official name, and its
    group is still its item.
    """
    seen, derived = _examine_all(source, derive, layout, depth, jobs, progress)
    release = seen.release
    unfit = _unfit(seen, trust_masks=trust_masks)
    rows = {row: sample for row, sample in seen.samples.items() if sample.name not in unfit}
    pairs = find_duplicates(source, rows, seen.similar, partial(parallel_map, jobs=jobs))
    contradictions = find_contradictions(pairs, release)
    labels = wrong_labels(release, rows.values(), trust_masks=trust_masks)
    findings = [*seen.findings, *unfit.values(), *contradictions.values(), *labels.values()]
    findings += [*find_doubts(pairs, contradictions), *find_differing_masks(pairs, release)]
    bad = {name: finding.code for name, finding in (unfit | contradictions).items()}

    samples = with_groups([s for s in rows.values() if s.name not in contradictions], pairs)
    duplicates = [pair for a, b, pair in pairs if not {a.name, b.name} & contradictions.keys()]
    pictures = connected((s.name for s in samples), ((d.first, d.second) for d in duplicates))
    known = release.samples
    knows_masks = known and release.knows_masks
    scan = Scan(
        release=release.name if seen.is_known else "unknown",
        samples=samples,
        left_out={**seen.left_out, **bad},
        findings=tuple(sorted(findings, key=_finding_key)),
        duplicates=tuple(duplicates),
        distinct=len(set(pictures.values())),
        official_images=sum(map(release.has_image, samples)) if known else None,
        official_masks=sum(map(release.has_mask, samples)) if knows_masks else None,
        layout=seen.layout,
    )
    return scan, derived


def _unfit(seen: _Seen, *, trust_masks: bool) -> dict[str, Finding]:
    """Return a finding for each sample that is left out before duplicates are looked for."""
    samples = seen.samples.values()
    labels = {} if trust_masks else wrong_labels(seen.release, samples, trust_masks=False)
    return {**_repeated_parts(samples, seen.release), **labels}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the files of a source hold: samples by number, and pairs that deserve a closer look."""

    release: Release
    layout: LayoutOptions
    is_known: bool
    samples: Mapping[int, Sample]
    similar: Sequence[tuple[int, int]]
    left_out: Mapping[str, str]
    findings: Sequence[Finding]


def _examine_all(
    source: Source,
    derive: Derive[Derived],
    layout: LayoutOptions,
    depth: Depth,
    jobs: int | None,
    progress: Progress,
) -> tuple[_Seen, dict[str, Derived]]:
    """Pair the files of a source and examine each pair."""
    paired = find_candidates(source, layout)
    release, layout, candidates = paired.release, paired.layout, paired.candidates
    ordered = sorted(candidates, key=natural_key)
    masks = MaskReader(source, layout.mask_rule)
    examine_one = partial(examine, source, masks, release, candidates, derive, depth, layout)
    examined, similar = _with_similar(examine_one, ordered, jobs, progress)
    release = kolektorsdd_boxes() if _is_of_boxes(release, examined) else release
    # One problem of many samples is one finding.
    found = dict.fromkeys(finding for result in examined for finding in result.findings)
    findings = [*paired.findings, *told_once(found)]
    samples = {row: result.sample for row, result in enumerate(examined) if result.sample}
    names = official_names(release, list(samples.values()), candidates)
    samples, similar = _rename(samples, similar, names)
    present = {names.get(name, name) for name in candidates}
    findings += renamings(release, names)
    findings += deviations(release, list(samples.values()), present)
    seen = _Seen(
        release=release,
        layout=layout,
        # Of people's own images there are no official names to miss.
        is_known=not release.names or bool(release.names & present),
        samples=samples,
        similar=similar,
        left_out={r.name: r.findings[0].code for r in examined if not r.sample},
        findings=findings,
    )
    derived = {names.get(r.name, r.name): r.derived for r in examined if r.derived is not None}
    return seen, derived


def _rename(
    samples: Mapping[int, Sample], similar: list[tuple[int, int]], names: Mapping[str, str]
) -> tuple[dict[int, Sample], list[tuple[int, int]]]:
    """Give samples their official names, and number them anew: in natural order of the names."""
    renamed = {row: _with_name(s, names.get(s.name, s.name)) for row, s in samples.items()}
    order = sorted(renamed, key=lambda row: natural_key(renamed[row].name))
    numbers = {row: number for number, row in enumerate(order)}
    pairs = [
        (min(numbers[i], numbers[j]), max(numbers[i], numbers[j]))
        for i, j in similar
        if i in numbers and j in numbers
    ]
    return {numbers[row]: renamed[row] for row in order}, pairs


def _with_name(sample: Sample, name: str) -> Sample:
    if name == sample.name:
        return sample
    item = name.rpartition("/")[0]
    return replace(sample, name=name, item=item, group=item)


def _with_similar(
    examine_one: Callable[[str], Examined[Derived]],
    names: Sequence[str],
    jobs: int | None,
    progress: Progress,
) -> tuple[list[Examined[Derived]], list[tuple[int, int]]]:
    """Return the examined candidates, and the pairs of their numbers that deserve a look.

    The thumbnails are the rows of one array, zeros if there is none: thousands of small arrays
    between the buffers of images would keep that memory from being used again.
    """
    thumbnails = np.zeros((len(names), THUMBNAIL_LENGTH), np.int8)

    def examine_at(index: int) -> Examined[Derived]:
        result = examine_one(names[index])
        if result.thumbnail is not None:
            thumbnails[index] = result.thumbnail
        return replace(result, thumbnail=None)

    examined = parallel_map(examine_at, range(len(names)), jobs, progress)
    return examined, similar_pairs(thumbnails, partial(parallel_map, jobs=jobs))


def _is_of_boxes(release: Release, examined: Iterable[Examined[Derived]]) -> bool:
    """Return whether the samples are those of KolektorSDD-boxes: whether most masks are boxes.

    Not all need to be, since two overlapping boxes are no box. None of KolektorSDD's 52 masks is.
    """
    boxes = [r.boxes for r in examined if r.sample and r.sample.defect_pixels]
    return bool(release.samples) and 2 * sum(boxes) > len(boxes)


def _finding_key(finding: Finding) -> tuple[object, ...]:
    severities: tuple[Severity, ...] = ("error", "warning", "info")
    return (severities.index(finding.severity), natural_key(finding.path), finding.code)


def _repeated_parts(samples: Iterable[Sample], release: Release) -> dict[str, Finding]:
    """Return a finding for each sample that is not official and repeats an official one beside it.

    These samples are left out: else one sample would count twice. One with another mask stays.
    """
    samples = list(samples)
    official = {(_folder(s), s.image_sha256): s for s in samples if s.name in release.names}
    repeats = {}
    for sample in samples:
        original = official.get((_folder(sample), sample.image_sha256))
        if original and sample.name not in release.names and _have_same_marks(sample, original):
            message = f"repeats {original.image}, byte for byte; left out"
            repeats[sample.name] = Finding("warning", "repeated-part", sample.image, message)
    return repeats


def _have_same_marks(first: Sample, second: Sample) -> bool:
    return first.mask_sha256 == second.mask_sha256 or not first.defect_pixels + second.defect_pixels


def _folder(sample: Sample) -> str:
    return sample.name.rpartition("/")[0]
