"""The layout ``pairs`` without masks: images of one's own, whose folders say what they are.

With ``--good FOLDER`` and ``--defective FOLDER``, an image is good or defective by a folder in its
path. With one of the two alone, all other images have the other label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kolektor_cli.errors import SourceError
from kolektor_cli.findings import Finding, first_names
from kolektor_cli.io.source import Source
from kolektor_cli.raw.layout_options import LayoutOptions
from kolektor_cli.raw.pairing import Candidates
from kolektor_cli.raw.pairs import candidates_of, folder_parts, masks_of_images
from kolektor_cli.raw.strays import by_folder, stem_and_suffix, stray_findings, unread_images
from kolektor_cli.samples import Label


def label_own(
    source: Source, names: Sequence[str], options: LayoutOptions
) -> tuple[Candidates, list[Finding]]:
    """Return candidates with labels by the paths of images without suffix, and findings.

    Raises
    ------
    SourceError
        No image lies in a folder that is asked for.
    """
    images = [name for name in names if stem_and_suffix(name)[1]]
    strays = by_folder(name for name in names if not stem_and_suffix(name)[1])
    asked = _asked(options)
    labels = {name: _labels_of(name, asked) for name in images}
    _refuse_unused(source, labels, options)
    candidates = candidates_of(images, options)
    for files in candidates.values():
        found = labels[files.images[0]]
        files.label = found[0] if found else None
        files.problem = files.problem or _problem(files.images[0], found, options)
    findings = unread_images(strays, {name.rpartition("/")[0] for name in images})
    findings += _masks_among(names, options)
    message = "ignored, being no image"
    return candidates, [*findings, *stray_findings("warning", strays, message)]


def _asked(options: LayoutOptions) -> dict[Label, Sequence[str]]:
    """Return the folders that are asked for, as lists of names in lower case."""
    folders: tuple[tuple[Label, str | None], ...] = (
        ("good", options.good),
        ("defective", options.defective),
    )
    return {label: folder_parts(folder) for label, folder in folders if folder is not None}


def _labels_of(name: str, asked: Mapping[Label, Sequence[str]]) -> list[Label]:
    """Return the labels that an image has by its folders: one, unless something is wrong."""
    folders = name.casefold().split("/")[:-1]
    found = [label for label, wanted in asked.items() if _lies_in(folders, wanted)]
    if len(asked) > 1 or found:
        return found
    return ["defective" if "good" in asked else "good"]


def _lies_in(folders: Sequence[str], wanted: Sequence[str]) -> bool:
    length = len(wanted)
    starts = range(len(folders) - length + 1)
    return any(list(folders[start : start + length]) == list(wanted) for start in starts)


def _refuse_unused(
    source: Source, labels: Mapping[str, Sequence[Label]], options: LayoutOptions
) -> None:
    used = {label for found in labels.values() for label in found}
    for label in _asked(options):
        if label not in used:
            folders = sorted({name.rpartition("/")[0] for name in labels} - {""})
            raise SourceError(
                f"{source.path}: holds no image in a folder {getattr(options, label)}, which "
                f"--{label} names; its images lie in {first_names(folders) or 'no folder'}"
            )


def _problem(image: str, found: Sequence[Label], options: LayoutOptions) -> Finding | None:
    if len(found) == 1:
        return None
    folders = f"--good {options.good} and --defective {options.defective}"
    if found:
        message = f"lies in the folders of both, {folders}; name folders of one label"
        return Finding("error", "ambiguous", image, message)
    message = f"lies in neither folder, {folders}; move it, or leave one of the two options out"
    return Finding("error", "no-label", image, message)


def _masks_among(names: Sequence[str], options: LayoutOptions) -> Iterator[Finding]:
    """Yield an error if files are masks of images by their names: these tell more than folders."""
    masks = masks_of_images(names, options)
    if masks:
        more = f", as are {len(masks) - 1} more" if masks[1:] else ""
        message = (
            f"is the mask of an image by its name{more}; leave --good and --defective out to read "
            "masks, or move them out of the source"
        )
        yield Finding("error", "stray-mask", masks[0], message, tuple(masks))
