"""Checks of a tree against its own manifest."""

from __future__ import annotations

from kolektor_cli.checks.run import TreeCheck
from kolektor_cli.findings import Finding, Findings
from kolektor_cli.samples import DEFECT
from kolektor_cli.splits.split import SplitName
from kolektor_cli.tree.layout import (
    MANIFEST_NAME,
    folder_of,
    is_train_of_defects,
    kind_of,
    mask_folder,
    mask_path,
    split_path,
)
from kolektor_cli.tree.manifest import FileEntry, Manifest, fingerprint
from kolektor_cli.tree.read import Tree


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
        message = "is defective, but none of its images shows a defect: the fit cut it off"
        yield Finding("warning", "lost-defect", name, message)
    yield from _check_claims(tree.manifest)


def _check_claims(found: Manifest) -> Findings:
    """Yield contradictions within a manifest."""
    unused = {*found.unused, *found.left_out}
    splits: dict[str, SplitName] = {}
    for entry in found.files:
        folder = split_path(entry.path)[0]
        wanted = _wanted_folder(entry)
        if folder != wanted:
            message = f"is for {entry.split}, {entry.label}, by the manifest: that is {wanted}"
            yield Finding("error", "wrong-folder", entry.path, message)
        if splits.setdefault(entry.sample, entry.split) != entry.split or entry.sample in unused:
            message = f"is of {entry.sample}, which the manifest has in another split, too"
            yield Finding("error", "two-splits", entry.path, message)
    yield from _check_train_masks(found)


def _wanted_folder(entry: FileEntry) -> str:
    """Return the folder that a file should lie in by split and label; the type is its folder's."""
    kind = kind_of(entry.path)
    if entry.label == "good":
        kind = "good"
    elif kind in ("good", ""):
        kind = DEFECT
    folder = folder_of(entry.split, kind) or "no folder"
    return mask_folder(folder) if entry.role == "mask" else folder


def _check_train_masks(found: Manifest) -> Findings:
    """Yield an error for each defective training image that wrongly has or lacks a mask."""
    masks = {entry.path for entry in found.files if entry.role == "mask"}
    has_masks = found.has_masks
    for entry in found.files:
        if not is_train_of_defects(split_path(entry.path)[0]):
            continue
        segmented = has_masks and found.segmented.get(entry.sample, True)
        if segmented and mask_path(entry.path) not in masks:
            yield Finding("error", "no-mask", entry.path, "has no mask in the manifest")
        elif not segmented and mask_path(entry.path) in masks:
            message = f"is of {entry.sample}, whose pixel labels are not to be used"
            yield Finding("error", "weak-mask", mask_path(entry.path), message)


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
        if fingerprint(recorded) != tree.manifest.fingerprint:
            message = "has a fingerprint that is not its files'"
            yield Finding("error", "fingerprint", MANIFEST_NAME, message)


def _manifest_entries(tree: Tree) -> dict[str, FileEntry]:
    return {entry.path: entry for entry in tree.manifest.files} if tree.manifest else {}


MANIFEST_CHECKS: tuple[TreeCheck, ...] = (
    TreeCheck(
        "manifest",
        "the manifest is there, whole, and agrees with itself",
        _check_manifest,
        "kolektor",
    ),
    TreeCheck("hashes", "files are those of the manifest, by SHA-256", _check_hashes, "manifest"),
    TreeCheck("pixels", "files decode to the pixels of the manifest", _check_pixels, "manifest"),
)
"""The checks of a tree that this tool made, in the order of the report."""
