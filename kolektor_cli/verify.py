"""Check an MVTec-AD-style tree, ours or anyone's: named checks, each with what it found.

A category folder is read once, to facts about every file; the checks are functions from these
facts to findings and touch no file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kolektor_cli import leaks, manifest, rules
from kolektor_cli.parallel import Progress, no_progress
from kolektor_cli.provenance import check_source
from kolektor_cli.records import (
    Check,
    ConsumerName,
    FileEntry,
    Finding,
    Label,
    Manifest,
    Report,
    Scan,
    Size,
    SplitName,
)
from kolektor_cli.rules import MANIFEST_NAME
from kolektor_cli.source import Source
from kolektor_cli.suitability import check_consumer
from kolektor_cli.tree import Tree, read_tree

Findings: TypeAlias = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class TreeCheck:
    """A check by name; one that `needs_manifest` is skipped where there is none to read."""

    name: str
    description: str
    find: Callable[[Tree], Findings]
    needs_manifest: bool = False

    def __call__(self, tree: Tree) -> Check:
        """Make the check."""
        skipped = self._reason_to_skip(tree)
        findings = () if skipped else tuple(self.find(tree))
        return Check(self.name, self.description, findings, skipped)

    def _reason_to_skip(self, tree: Tree) -> str | None:
        if not tree.ours and (self.needs_manifest or self.name == "manifest"):
            return "not made by kolektor"
        return "no manifest to go by" if self.needs_manifest and not tree.manifest else None


def verify_tree(
    category: Path,
    *,
    source: Source | None = None,
    scan: Scan | None = None,
    consumer: ConsumerName | None = None,
    strict: bool = False,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Check one category folder; with a `source` and its `scan`, derive every file again.

    With a `consumer`, its needs are checked, too, and the files beside the category folder that it
    reads. With `strict`, near duplicates in train and test are errors and not only warnings.

    Raises
    ------
    OutputError
        The folder cannot be listed, or a file in it cannot be read.
    """
    tree = read_tree(category, jobs, progress)
    checks = [check(tree) for check in CHECKS]
    checks += leaks.check_leaks(tree, strict=strict, jobs=jobs)
    if consumer is not None:
        checks.append(check_consumer(tree, consumer))
    if source is not None and scan is not None:
        checks.append(check_source(tree, source, scan, jobs, progress))
    decoded = all(facts.problem is None for facts in tree.pngs.values())
    return Report(
        category=category.resolve().name,
        counts=_count(tree),
        fingerprint=_fingerprint(tree) if decoded else None,
        checks=tuple(checks),
    )


def _count(tree: Tree) -> Counter[tuple[SplitName, Label]]:
    splits: dict[str, SplitName] = {"train": "train", "validation": "val", "test": "test"}
    counts: Counter[tuple[SplitName, Label]] = Counter()
    for path in tree.pngs:
        top, _, kind = rules.split_path(path)[0].partition("/")
        if top in splits:
            counts[splits[top], "good" if kind == "good" else "defective"] += 1
    return counts


def _fingerprint(tree: Tree) -> str:
    return manifest.fingerprint((path, facts.pixels_sha256) for path, facts in tree.pngs.items())


def _check_structure(tree: Tree) -> Findings:
    yield from rules.check_structure(tree.entries, ours=tree.ours)


def _check_names(tree: Tree) -> Findings:
    yield from rules.check_names(tree.pngs)


def _check_pairs(tree: Tree) -> Findings:
    yield from rules.check_pairs(tree.pngs)


def _check_images(tree: Tree) -> Findings:
    pngs = {path: facts for path, facts in tree.pngs.items() if not rules.is_mask(path)}
    formats = Counter(facts.format for facts in pngs.values() if not facts.problem)
    usual = max(formats, key=formats.__getitem__, default="")
    for path, facts in pngs.items():
        if facts.problem:
            yield Finding("error", "unreadable", path, facts.problem)
        elif facts.format not in IMAGE_FORMATS:
            message = f"is {facts.format}; consumers read {' or '.join(IMAGE_FORMATS)}"
            yield Finding("error", "image-format", path, message)
        elif facts.format != usual:
            message = f"is {facts.format}, most of the category's images {usual}"
            yield Finding("error", "image-format", path, message)


def _check_masks(tree: Tree) -> Findings:
    images_by_mask = {rules.mask_path(p): tree.pngs[p] for p in tree.pngs if not rules.is_mask(p)}
    for path, facts in tree.pngs.items():
        if not rules.is_mask(path):
            continue
        if facts.problem:
            yield Finding("error", "unreadable", path, facts.problem)
        elif facts.format != MASK_FORMAT:
            yield Finding("error", "mask-format", path, f"is {facts.format}, not {MASK_FORMAT}")
        elif not set(facts.values) <= {0, 255}:
            message = f"has {_list(facts.values)} as values; only 0 and 255 are read alike by all"
            yield Finding("error", "mask-values", path, message)
        elif 255 not in facts.values:
            yield Finding("error", "empty-mask", path, "marks nothing, so AUROC fails on it")
        image = images_by_mask.get(path)
        if image and not (image.problem or facts.problem) and image.size != facts.size:
            message = f"is {_size(facts.size)} pixels, its image {_size(image.size)}"
            yield Finding("error", "mask-size", path, message)


def _list(values: Sequence[int]) -> str:
    shown = ", ".join(map(str, values[:5]))
    return shown if len(values) <= 5 else f"{shown}, ..."


def _size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _check_manifest(tree: Tree) -> Findings:
    if tree.manifest_problem:
        yield Finding("error", "bad-manifest", MANIFEST_NAME, tree.manifest_problem)
    if tree.manifest is None:
        if not tree.manifest_problem:
            message = "is missing: the images were written by kolektor; convert again"
            yield Finding("error", "no-manifest", MANIFEST_NAME, message)
        return
    if tree.manifest.category != tree.path.resolve().name:
        message = f"was made as the category {tree.manifest.category}; the folder was renamed"
        yield Finding("info", "renamed", "", message)
    for name in tree.manifest.lost:
        message = "is defective, and none of its images shows it: the fit cut its defects off"
        yield Finding("warning", "lost-defect", name, message)
    yield from _check_claims(tree.manifest)


def _check_claims(found: Manifest) -> Findings:
    """Find what a manifest says against itself."""
    unused = {*found.unused, *found.left_out}
    splits: dict[str, SplitName] = {}
    for entry in found.files:
        folder = rules.split_path(entry.path)[0]
        wanted = rules.MASK_FOLDER
        if entry.role == "image":
            wanted = rules.IMAGE_FOLDERS.get((entry.split, entry.label), "no folder")
        if folder != wanted:
            message = f"is for {entry.split}, {entry.label}, by the manifest: that is {wanted}"
            yield Finding("error", "wrong-folder", entry.path, message)
        if splits.setdefault(entry.sample, entry.split) != entry.split or entry.sample in unused:
            message = f"is of {entry.sample}, which the manifest has in another split, too"
            yield Finding("error", "two-splits", entry.path, message)


def _check_hashes(tree: Tree) -> Findings:
    entries = _manifest_entries(tree)
    for path in sorted(entries.keys() - tree.pngs.keys()):
        yield Finding("error", "missing-file", path, "is in the manifest, not in the tree")
    for path in sorted(tree.pngs.keys() - entries.keys()):
        yield Finding("error", "added-file", path, "is in the tree, not in the manifest")
    for path in sorted(entries.keys() & tree.pngs.keys()):
        if entries[path].sha256 != tree.pngs[path].sha256:
            message = "is not the file that was written: its SHA-256 is not the manifest's"
            yield Finding("error", "changed-file", path, message)


def _check_pixels(tree: Tree) -> Findings:
    entries = _manifest_entries(tree)
    for path in sorted(entries.keys() & tree.pngs.keys()):
        entry, facts = entries[path], tree.pngs[path]
        if facts.problem:
            continue
        if (entry.pixels_sha256, entry.geometry.size) != (facts.pixels_sha256, facts.size):
            message = "does not decode to the pixels that were written"
            yield Finding("error", "changed-pixels", path, message)
    if tree.manifest is not None:
        recorded = ((entry.path, entry.pixels_sha256) for entry in tree.manifest.files)
        if manifest.fingerprint(recorded) != tree.manifest.fingerprint:
            message = "has a fingerprint that is not its files'"
            yield Finding("error", "fingerprint", MANIFEST_NAME, message)


def _manifest_entries(tree: Tree) -> dict[str, FileEntry]:
    return {entry.path: entry for entry in tree.manifest.files} if tree.manifest else {}


IMAGE_FORMATS = ("8-bit RGB", "8-bit gray")
MASK_FORMAT = "8-bit gray"

CHECKS: tuple[TreeCheck, ...] = (
    TreeCheck("structure", "only the folders and files that consumers expect", _check_structure),
    TreeCheck("names", "names sort and pair alike for every consumer", _check_names),
    TreeCheck("pairs", "every defective image has its mask, every mask its image", _check_pairs),
    TreeCheck("images", "images are whole 8-bit PNGs, all RGB or all gray", _check_images),
    TreeCheck("masks", "masks are one channel, {0, 255}, of their image's size", _check_masks),
    TreeCheck("manifest", "the manifest is there, whole, and agrees with itself", _check_manifest),
    TreeCheck("hashes", "files are those of the manifest, by SHA-256", _check_hashes, True),
    TreeCheck("pixels", "files decode to the pixels of the manifest", _check_pixels, True),
)
"""The checks that need nothing but the tree, in the order in which they are reported."""
