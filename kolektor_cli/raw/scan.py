"""The scan of a source: its samples, the duplicates among them, and findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from kolektor_cli.findings import Finding, Severity
from kolektor_cli.imaging.depth import Depth
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.similarity import THUMBNAIL_LENGTH, Thumbnails
from kolektor_cli.io.parallel import Progress, no_progress, parallel_iter, parallel_map
from kolektor_cli.io.source import Source
from kolektor_cli.raw.duplicates import (
    find_contradictions,
    find_differing_masks,
    find_doubts,
    find_duplicates,
    find_too_alike,
    with_groups,
)
from kolektor_cli.raw.images import told_once
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.raw.layouts import find_candidates
from kolektor_cli.raw.masks import MaskReader
from kolektor_cli.raw.official import deviations, official_names, renamings, wrong_labels
from kolektor_cli.raw.pairing import pairing_problem
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
        All pairs of samples that are the same picture; of a picture of more than `MANY_ALIKE`
        samples, each with its first good and its first defective sample.
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
    executor: Executor | None = None,
    progress: Progress = no_progress,
) -> tuple[Scan, dict[str, Derived]]:
    """Return the scan of a source, and what `derive` returns for each sample, by name.

    Each file is decoded once for both. Several threads call `derive` at once, before duplicates and
    official images are known: a sample may be left out later, or get its official name, and its
    group is still its item. With an `executor`, all this is done by `jobs` workers of it, in other
    processes or on other machines, but for the closer look at samples that may be the same picture.
    """
    seen, derived = _examine_all(
        source, derive, layout, depth, trust_masks, jobs, executor, progress
    )
    release = seen.release
    run = partial(parallel_map, jobs=jobs)
    near = seen.layout.duplicates is None
    same = find_duplicates(source, seen.samples, seen.thumbnails, run, near=near)
    pairs = same.pairs()
    contradictions = find_contradictions(pairs, release)
    labels = wrong_labels(release, seen.samples, trust_masks=trust_masks)
    findings = [*seen.findings, *contradictions.values(), *labels.values()]
    findings += [*find_doubts(pairs, contradictions), *find_differing_masks(pairs, release)]
    bad = {name: finding.code for name, finding in contradictions.items()}

    pairs = same.pairs(without=contradictions)
    samples = with_groups([s for s in seen.samples if s.name not in contradictions], pairs)
    duplicates = [pair for _, _, pair in pairs]
    pictures = connected((s.name for s in samples), ((d.first, d.second) for d in duplicates))
    distinct = len(set(pictures.values()))
    findings += find_too_alike(samples, duplicates, distinct, release)
    known = release.samples
    knows_masks = known and release.knows_masks
    scan = Scan(
        release=release.name if seen.is_known else "unknown",
        samples=samples,
        left_out={**seen.left_out, **bad},
        findings=tuple(sorted(findings, key=_finding_key)),
        duplicates=tuple(duplicates),
        distinct=distinct,
        official_images=sum(map(release.has_image, samples)) if known else None,
        official_masks=sum(map(release.has_mask, samples)) if knows_masks else None,
        layout=seen.layout,
    )
    return scan, derived


def _unfit(release: Release, samples: Sequence[Sample], *, trust_masks: bool) -> dict[str, Finding]:
    """Return a finding for each sample that is left out before duplicates are looked for."""
    labels = {} if trust_masks else wrong_labels(release, samples, trust_masks=False)
    return {**_repeated_parts(samples, release), **labels}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the files of a source hold: samples, in natural order, with a thumbnail in each row.

    `left_out` names the candidates that are none.
    """

    release: Release
    layout: LayoutOptions
    is_known: bool
    samples: Sequence[Sample]
    thumbnails: Thumbnails
    left_out: Mapping[str, str]
    findings: Sequence[Finding]


def _examine_all(
    source: Source,
    derive: Derive[Derived],
    layout: LayoutOptions,
    depth: Depth,
    trust_masks: bool,
    jobs: int | None,
    executor: Executor | None,
    progress: Progress,
) -> tuple[_Seen, dict[str, Derived]]:
    """Pair the files of a source and examine each pair."""
    paired = find_candidates(source, layout)
    release, layout, candidates = paired.release, paired.layout, paired.candidates
    for name, files in candidates.items():
        files.problem = pairing_problem(name, files, release, no_mask=layout.no_mask)
    masks = MaskReader(source, layout.mask_rule)
    examine_one = partial(examine, source, masks, release.largest_defect, derive, depth, layout)
    ordered = sorted(candidates.items(), key=lambda named: natural_key(named[0]))
    with closing(parallel_iter(examine_one, ordered, jobs, progress, executor)) as results:
        examined, thumbnails = _with_thumbnails(results, len(ordered))
    release = kolektorsdd_boxes() if _is_of_boxes(release, examined) else release
    # One problem of many samples is one finding.
    found = dict.fromkeys(finding for result in examined for finding in result.findings)
    findings = [*paired.findings, *told_once(found)]
    names = official_names(release, [r.sample for r in examined if r.sample], candidates)
    rows = _rows(examined, names)
    samples = list(rows.values())
    present = {names.get(name, name) for name in candidates}
    findings += renamings(release, names)
    findings += deviations(release, samples, present)
    unfit = _unfit(release, samples, trust_masks=trust_masks)
    fit = {row: sample for row, sample in rows.items() if sample.name not in unfit}
    left_out = {result.name: result.findings[0].code for result in examined if not result.sample}
    seen = _Seen(
        release=release,
        layout=layout,
        # Of people's own images there are no official names to miss.
        is_known=not release.names or bool(release.names & present),
        samples=tuple(fit.values()),
        # Where all are used, as they mostly are, no copy is made.
        thumbnails=thumbnails if [*fit] == [*range(len(ordered))] else thumbnails[[*fit]],
        left_out=left_out | {name: finding.code for name, finding in unfit.items()},
        findings=[*findings, *unfit.values()],
    )
    derived = {names.get(r.name, r.name): r.derived for r in examined if r.derived is not None}
    return seen, derived


def _rows(examined: Sequence[Examined[Derived]], names: Mapping[str, str]) -> dict[int, Sample]:
    """Return samples by the number of their candidate, in natural order of their official names."""
    renamed = {
        row: _with_name(result.sample, names.get(result.name, result.name))
        for row, result in enumerate(examined)
        if result.sample
    }
    return dict(sorted(renamed.items(), key=lambda numbered: natural_key(numbered[1].name)))


def _with_name(sample: Sample, name: str) -> Sample:
    if name == sample.name:
        return sample
    item = name.rpartition("/")[0]
    return replace(sample, name=name, item=item, group=item)


def _with_thumbnails(
    results: Iterable[Examined[Derived]], number: int
) -> tuple[list[Examined[Derived]], Thumbnails]:
    """Return a number of results, and their thumbnails in the rows of an array, zeros for none.

    Thousands of small arrays between the buffers of images would keep that memory from being used
    again.
    """
    thumbnails = np.zeros((number, THUMBNAIL_LENGTH), np.int8)
    examined = []
    for row, result in enumerate(results):
        if result.thumbnail is not None:
            thumbnails[row] = result.thumbnail
        examined.append(replace(result, thumbnail=None))
    return examined, thumbnails


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
