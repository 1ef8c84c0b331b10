"""The page of a tree: its split and options, checks, leaks, and the defects as they came out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from kolektor_cli.errors import ImageError
from kolektor_cli.findings import Check
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.reports.cells import defect_cell
from kolektor_cli.reports.page import (
    Cell,
    Html,
    Section,
    bullets,
    chapter,
    facts,
    name,
    page,
    paragraph,
    table,
    text,
)
from kolektor_cli.reports.parts import (
    NamedDefect,
    Pair,
    about_part,
    defects_part,
    findings_part,
    pairs_part,
    weak_part,
)
from kolektor_cli.samples import LABELS
from kolektor_cli.splits.split import SPLIT_NAMES, Counts
from kolektor_cli.tree.dataset import TreeDataset, TreeImage
from kolektor_cli.tree.layout import is_mask, split_and_label
from kolektor_cli.tree.manifest import Manifest
from kolektor_cli.tree.read import Tree, read_file
from kolektor_cli.tree.same import same_pictures


@dataclass(frozen=True, slots=True)
class CheckedTree:
    """A category folder, as it was found.

    Attributes
    ----------
    category
        Its name.
    tree, images
        The facts about its files, and its images.
    counts
        Numbers of its images by split and label.
    fingerprint
        None where a file cannot be decoded.
    checks
        What was checked, with the findings.
    """

    category: str
    tree: Tree
    images: TreeDataset
    counts: Counts
    fingerprint: str | None
    checks: Sequence[Check]


def tree_page(
    checked: CheckedTree,
    scores: Sequence[Section] = (),
    fingerprints: Mapping[str, str] | None = None,
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> str:
    """Return the page of a tree.

    Parameters
    ----------
    checked
        The tree, and what was found.
    scores
        Parts about anomaly maps, which come first; their pictures show whole images, so of the
        defects only close-ups are shown.
    fingerprints
        Those of the maps, by name.
    jobs, progress
        Number of threads; called for each defective image.

    Raises
    ------
    OutputError
        A file cannot be read.
    """
    manifest = checked.tree.manifest
    defects = _defects(checked, not scores, jobs, progress)
    weak = [image.path for image in checked.images if image.weak]
    without_masks = weak_part(weak, partial(_load, checked), jobs)
    sections = [
        *scores,
        _overview(checked),
        _checks(checked, jobs),
        _leaks(checked, jobs),
        defects_part("Defects as they came out", defects, without_masks),
        *([_lost(manifest)] if manifest else []),
        about_part({"tree": checked.fingerprint or "not known", **(fingerprints or {})}),
    ]
    number = sum(checked.counts.values())
    defective = sum(n for (_, label), n in checked.counts.items() if label == "defective")
    lead = f"{number} images, {defective} of them defective. {_state(checked.checks)}"
    return page(f"{checked.category}: MVTec-AD-style tree", paragraph(text(lead)), sections)


def _state(checks: Sequence[Check]) -> str:
    for state, what in (("FAILED", "Checks that failed"), ("warning", "Checks that warn")):
        names = [check.name for check in checks if check.state == state]
        if names:
            return f"{what}: {', '.join(names)}."
    return "All checks passed."


def _overview(checked: CheckedTree) -> Section:
    counts = [
        (split, [checked.counts.get((split, label), 0) for label in LABELS])
        for split in SPLIT_NAMES
    ]
    rows = [(split, *numbers, sum(numbers)) for split, numbers in counts if sum(numbers)]
    split = table("Images by split", ("split", *LABELS, "total"), rows)
    manifest = checked.tree.manifest
    known: list[tuple[str, Cell]] = [("fingerprint", checked.fingerprint or "not known")]
    if manifest is None:
        told = checked.tree.manifest_problem or "The tree has no manifest: its source is not known."
        return chapter("overview", "Overview", split, facts("The tree", known), _plain(told))
    known += [("release", manifest.release), ("made by", f"kolektor {manifest.kolektor}")]
    known.append(("protocol", manifest.protocol))
    known += _options(manifest.protocol_parameters)
    known += _options(manifest.options)
    known.append(("unused samples", len(manifest.unused)))
    left_out = ", ".join(f"{one} ({why})" for one, why in manifest.left_out.items())
    known.append(("left out", left_out or "none"))
    return chapter("overview", "Overview", split, facts("How it was made", known))


def _options(options: Mapping[str, object]) -> Iterator[tuple[str, Cell]]:
    for key, value in options.items():
        yield key, value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _plain(told: str) -> Html:
    return paragraph(text(told))


def _checks(checked: CheckedTree, jobs: int | None) -> Section:
    rows = [
        (
            check.name,
            f"skipped: {check.skipped}" if check.skipped else check.state,
            check.description,
        )
        for check in checked.checks
    ]
    findings = [finding for check in checked.checks for finding in check.findings]
    return chapter(
        "checks",
        "Checks",
        table("What kolektor verify checks", ("check", "result", "passes if"), rows),
        *findings_part(findings, partial(_load, checked), jobs),
    )


def _load(checked: CheckedTree, path: str) -> tuple[Pixels, Pixels | None] | None:
    """Return an image of the tree with its mask, or a mask by itself; None of another file."""
    if path not in checked.tree.pngs:
        return None
    if split_and_label(path) and not is_mask(path):
        return _pixels(checked.images[path])
    return decode_image(read_file(checked.tree.path / path), path), None


def _pixels(image: TreeImage) -> tuple[Pixels, Pixels | None]:
    pixels = image.image()
    mask = image.mask() if image.label == "defective" and not image.weak else None
    # A mask of another size is a finding, and outlines nothing.
    return pixels, mask if mask is not None and mask.shape == pixels.shape[:2] else None


def _leaks(checked: CheckedTree, jobs: int | None) -> Section:
    tree = checked.tree
    pairs = [Pair(*both, _said(tree, *both)) for both in same_pictures(tree.pictures)]
    title = "Leaks from training to test"
    if not pairs:
        told = "No picture of the test set is, pixel for pixel, one of the training set."
        return chapter("leaks", title, _plain(told))
    told = f"{len(pairs)} pictures are in training and in test, pixel for pixel; training is first."
    parts = pairs_part(pairs, partial(_load, checked), jobs)
    return chapter("leaks", title, _plain(told), *parts)


def _said(tree: Tree, *paths: str) -> str:
    if tree.manifest is None:
        return "equal pixels"
    samples = {entry.path: entry.sample for entry in tree.manifest.files if entry.path in paths}
    return f"equal pixels: {' and '.join(samples.get(path, 'unknown') for path in paths)}"


def _defects(
    checked: CheckedTree, wholes: bool, jobs: int | None, progress: Progress
) -> list[NamedDefect]:
    images = [image for image in checked.images if image.label == "defective"]
    found = parallel_map(partial(_defect, wholes), images, jobs, progress)
    return [one for one in found if one is not None]


def _defect(wholes: bool, image: TreeImage) -> NamedDefect | None:
    try:
        pixels, mask = _pixels(image)
    except ImageError:
        # A check has a finding that says so.
        return None
    if mask is None or not mask.any():
        return None
    return NamedDefect(image.path, defect_cell(pixels, mask, wholes=wholes), image.sample or "")


def _lost(manifest: Manifest) -> Section:
    title = "What the fit lost"
    if not manifest.lost:
        return chapter("lost", title, _plain("Every defective sample has a defective image."))
    told = f"{len(manifest.lost)} defective samples have no defective image: the fit cut them away."
    return chapter("lost", title, _plain(told), bullets(map(name, manifest.lost)))
