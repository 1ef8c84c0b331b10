"""Checks of what every consumer expects of a tree: folders, names, pairs, images and masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kolektor_cli.checks.run import TreeCheck
from kolektor_cli.findings import Finding, Findings
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.tree import layout
from kolektor_cli.tree.layout import is_mask, mask_path
from kolektor_cli.tree.pairs import check_pairs
from kolektor_cli.tree.read import Tree
from kolektor_cli.tree.structure import check_structure

IMAGE_FORMATS = ("8-bit RGB", "8-bit gray")

MASK_FORMAT = "8-bit gray"


def _check_structure(tree: Tree) -> Findings:
    yield from check_structure(tree.entries, tree.types)


def _check_names(tree: Tree) -> Findings:
    yield from layout.check_names(tree.pngs)


def _check_pairs(tree: Tree) -> Findings:
    files = (path for path, kind in tree.entries.items() if kind == "file")
    yield from check_pairs(files, need_masks=tree.has_masks)
    if not tree.has_masks:
        message = "its source has no masks: there are image figures, and no pixel figures"
        yield Finding("info", "no-masks", "", message)


def _check_images(tree: Tree) -> Findings:
    pngs = {path: facts for path, facts in tree.pngs.items() if not is_mask(path)}
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
    images_by_mask = {mask_path(p): tree.pngs[p] for p in tree.pngs if not is_mask(p)}
    for path, facts in tree.pngs.items():
        if not is_mask(path):
            continue
        if facts.problem:
            yield Finding("error", "unreadable", path, facts.problem)
        elif facts.format != MASK_FORMAT:
            yield Finding("error", "mask-format", path, f"is {facts.format}, not {MASK_FORMAT}")
        elif not set(facts.values) <= {0, 255}:
            message = f"has the values {_list(facts.values)}; consumers agree on 0 and 255 alone"
            yield Finding("error", "mask-values", path, message)
        elif 255 not in facts.values:
            yield Finding(
                "error", "empty-mask", path, "marks nothing; AUROC fails on an empty mask"
            )
        image = images_by_mask.get(path)
        if image and not (image.problem or facts.problem) and image.size != facts.size:
            message = f"is {_size(facts.size)} pixels, its image {_size(image.size)}"
            yield Finding("error", "mask-size", path, message)


def _list(values: Sequence[int]) -> str:
    shown = ", ".join(map(str, values[:5]))
    return shown if len(values) <= 5 else f"{shown}, ..."


def _size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


CONTRACT_CHECKS: tuple[TreeCheck, ...] = (
    TreeCheck("structure", "only the folders and files that consumers expect", _check_structure),
    TreeCheck("names", "names sort and pair alike for every consumer", _check_names),
    TreeCheck("pairs", "defective test images have masks, all masks have images", _check_pairs),
    TreeCheck("images", "images are whole 8-bit PNGs, all RGB or all gray", _check_images),
    TreeCheck("masks", "masks are one channel, {0, 255}, of their image's size", _check_masks),
)
"""The checks that any tree must pass, in the order of the report."""
