"""One page about a raw dataset, or about a tree and the anomaly maps of models."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from kolektor_cli.consumers.catalogue import ConsumerName
from kolektor_cli.core.scoring import count_steps as count_scoring
from kolektor_cli.core.scoring import score, with_crop
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.core.verification import check_tree, reads_tree
from kolektor_cli.errors import UsageError
from kolektor_cli.findings import Finding
from kolektor_cli.io.places import inputs_at, inputs_of, refuse_file, refuse_inputs
from kolektor_cli.io.source import open_source
from kolektor_cli.io.staging import replace_file
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.raw.scan import scan_and_derive
from kolektor_cli.reports.of_scores import MapPictures, draw_maps, map_fingerprints, score_sections
from kolektor_cli.reports.of_source import derive_cell, source_page
from kolektor_cli.reports.of_tree import CheckedTree, tree_page
from kolektor_cli.scoring.maps import MapSource
from kolektor_cli.scoring.options import DRAWS, ScoreOptions
from kolektor_cli.scoring.results import Scores
from kolektor_cli.tree.dataset import TreeDataset, load_tree
from kolektor_cli.tree.read import find_categories, read_tree
from kolektor_cli.tree.truth import open_truth


@dataclass(frozen=True, slots=True)
class Report:
    """A page, and what was found on the way.

    Attributes
    ----------
    kind
        What the page is about: ``source`` or ``tree``.
    page
        The page: HTML of ASCII characters alone. Empty if maps are wrong.
    findings
        What was found in the source or the tree; if maps are wrong, what is wrong with them.
    scores
        The figures of the maps; None without maps.
    """

    kind: Literal["source", "tree"]
    page: str
    findings: tuple[Finding, ...]
    scores: Scores | None = None

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    @property
    def size(self) -> int:
        """The size of the page in bytes."""
        return len(self.page)


def report(
    place: str | os.PathLike[str],
    maps: MapSource | list[MapSource] | tuple[MapSource, ...] = (),
    *,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    options: ScoreOptions | None = None,
    consumer: ConsumerName | None = None,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Report:
    """Make one page of HTML about a raw dataset, or about a tree and anomaly maps on it.

    The page needs no network and no other file. The same files and options give the same page.

    Parameters
    ----------
    place
        A raw dataset: a folder, or a zip or tar archive. Or a category folder, or a folder that
        holds exactly one.
    maps
        Anomaly maps of the tree's test images, of one model or of several; see `score`.
    layout
        How a raw dataset is read; see `LayoutOptions`.
    options
        How maps are scored; by default with intervals of 1000 draws.
    consumer
        The code that made the maps: its center crop is `ScoreOptions.crop`.
    output
        Write the page there, all or nothing. It must lie outside the source and the tree.
    force
        Replace `output` if it exists.
    jobs
        Number of threads; by default one a processor.
    progress
        Called with step, number done and total.

    Raises
    ------
    SourceError
        The source cannot be read, or holds no dataset that is known; or there are no such maps.
    OutputError, ManifestError
        The tree cannot be read, or maps belong to another tree; `output` exists and `force` is not
        given, or it cannot be written.
    UsageError
        Options are wrong or contradict each other, maps are given with a raw dataset, or `layout`
        with a tree.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> made = kolektor.report("data/metal", output="report.html")
    >>> made.kind, made.ok, made.page.startswith("<!DOCTYPE html>")
    ('tree', True, True)
    """
    sources = list(maps) if isinstance(maps, (list, tuple)) else [maps]
    target = None if output is None else Path(output)
    tree = reads_tree(Path(place), layout)
    if target is not None:
        refuse_file(target, force=force)
    if tree:
        scoring = with_crop(options or ScoreOptions(draws=DRAWS), consumer)
        made = _of_tree(Path(place), sources, scoring, target, jobs, progress)
    elif sources:
        raise UsageError(
            f"{place}: maps belong to a tree, and this is none; give the folder that 'kolektor "
            "convert' wrote"
        )
    else:
        made = _of_source(Path(place), layout, target, jobs, progress)
    if target is not None and made.page:
        replace_file(target, made.page.encode("ascii"), replace=force)
    return made


def count_steps(
    place: str | os.PathLike[str],
    maps: Sequence[MapSource],
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
) -> int:
    """Return how many steps `report` counts; errors are those of `reads_tree`."""
    if not reads_tree(Path(place), layout):
        return 1
    checked_and_drawn = 2
    return checked_and_drawn + (count_scoring(maps) + len(maps) if maps else 0)


def _of_source(
    place: Path,
    layout: LayoutOptions,
    target: Path | None,
    jobs: int | None,
    progress: StepProgress,
) -> Report:
    with open_source(place) as source:
        if target is not None:
            refuse_inputs(target, inputs_of(source))
        told = partial(progress, "inspecting")
        scan, cells = scan_and_derive(source, derive_cell, layout=layout, jobs=jobs, progress=told)
        drawn = {name: cell for name, cell in cells.items() if cell is not None}
        page = source_page(source, scan, drawn, jobs)
    return Report("source", page, scan.findings)


def _of_tree(
    place: Path,
    maps: Sequence[MapSource],
    options: ScoreOptions,
    target: Path | None,
    jobs: int | None,
    progress: StepProgress,
) -> Report:
    images = load_tree(place)
    [folder] = find_categories(place)
    if target is not None:
        refuse_inputs(target, inputs_at(folder))
    scores, sections, fingerprints = None, [], {}
    if maps:
        scores = score(place, list(maps), options=options, jobs=jobs, progress=progress)
        if not scores.ok:
            return Report("tree", "", scores.findings, scores)
        sections = score_sections(
            scores, _drawn(place, images, maps, scores, options, jobs, progress)
        )
        fingerprints = map_fingerprints(scores)
    tree = read_tree(folder, jobs, partial(progress, "verifying"))
    found = check_tree(tree, jobs=jobs)
    checked = CheckedTree(
        found.category, tree, images, found.counts, found.fingerprint, found.checks
    )
    told = partial(progress, "drawing defects")
    page = tree_page(checked, sections, fingerprints, jobs=jobs, progress=told)
    findings = tuple(finding for check in found.checks for finding in check.findings)
    return Report("tree", page, findings, scores)


def _drawn(
    place: Path,
    images: TreeDataset,
    maps: Sequence[MapSource],
    scores: Scores,
    options: ScoreOptions,
    jobs: int | None,
    progress: StepProgress,
) -> list[MapPictures]:
    truth = open_truth(place)
    return [
        draw_maps(
            truth,
            images,
            source,
            model,
            options.crop,
            jobs=jobs,
            progress=partial(progress, f"drawing {model.name}"),
        )
        for source, model in zip(maps, scores.models, strict=True)
    ]
