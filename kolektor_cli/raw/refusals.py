"""What a source looks like that is no dataset in a known layout, and what would help."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from kolektor_cli.errors import SourceError
from kolektor_cli.findings import first_names
from kolektor_cli.io.source import FolderSource, Source
from kolektor_cli.raw.releases import Release, kolektorsdd, kolektorsdd2
from kolektor_cli.raw.strays import Folders, by_folder, last_part, stem_and_suffix

_ADVICE = (
    "give the folder or archive with the item folders kos01, kos02, ..., or with KolektorSDD2's "
    "folders train and test"
)

PAIRS_ADVICE = "with '--layout pairs'"

_READ_ARCHIVES = (*(".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz"),)

_OTHER_ARCHIVES = (".7z", ".rar", ".tar.zst", ".gz", ".bz2", ".xz", ".zst")

_MASK_FOLDER = re.compile(r"ann|mask|gt$|^gt|ground.?truth|label|seg", re.IGNORECASE)

_PART = re.compile(r"part\d+(_label)?", re.IGNORECASE | re.ASCII)

_HALF = re.compile(r"(train|test|val)", re.IGNORECASE)

_VALIDATION = {"val", "valid", "validation", "dev"}


def not_a_dataset(source: Source, names: Sequence[str]) -> str:
    """Return a message that says what a source without samples looks like, and what to do."""
    path = source.path
    for looks_like in _LOOKS:
        message = looks_like(source, names)
        if message:
            return f"{path}: {message}"
    own = "; for images of your own, see 'kolektor docs own-data'" if _images(names) else ""
    return f"{path}: is not a dataset in the layout of KolektorSDD or KolektorSDD2; {_ADVICE}{own}"


def looks_like_kolektor(source: Source, names: Sequence[str]) -> bool:
    """Return whether a source looks like a part of a Kolektor dataset, or a tree of one."""
    numbers = {last_part(name) for name in kolektorsdd2().names}
    numbered = any(stem_and_suffix(name)[0] in numbers for name in names)
    return numbered or any(looks_like(source, names) for looks_like in _SURE_LOOKS)


def refuse_apart(source: Source, folders: Folders, release: Release) -> None:
    """Refuse two folders of one name, such as images/train and masks/train, that belong together.

    Raises
    ------
    SourceError
        One folder holds masks alone, and the other their images.
    """
    for folder, files in folders.items():
        masks = {base.casefold(): name for name in files if (base := _base(name, release))}
        if not masks or len(masks) < len(_images(files)):
            continue
        for other, names in folders.items():
            if other != folder and last_part(other).casefold() == last_part(folder).casefold():
                images = {stem_and_suffix(name)[0].casefold(): name for name in _images(names)}
                for base in sorted(masks.keys() & images.keys()):
                    stem = stem_and_suffix(masks[base])[0]
                    message = _put_together(images[base], masks[base], stem)
                    raise SourceError(f"{source.path}: {message}")


def _base(name: str, release: Release) -> str | None:
    """Return the stem of the image of a file that is a mask by the release's ending, else None."""
    stem, suffix = stem_and_suffix(name)
    ending = release.mask_ending.casefold()
    is_mask = suffix and stem.casefold().endswith(ending) and len(stem) > len(ending)
    return stem[: -len(ending)] if is_mask else None


def _masks(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield masks by their endings, each with the stem of its image."""
    for name in names:
        for release in (kolektorsdd2(), kolektorsdd()):
            base = _base(name, release)
            if base:
                yield name, base


def _images(names: Sequence[str]) -> list[str]:
    return [name for name in names if stem_and_suffix(name)[1]]


def _folders(names: Sequence[str]) -> set[str]:
    """Return the names of all folders, in lower case and without those that hold them."""
    return {part.casefold() for name in names for part in PurePosixPath(name).parts[:-1]}


def _parent(path: Path) -> str:
    return os.path.normpath(path / "..")


def _like_mvtec(_source: Source, names: Sequence[str]) -> str | None:
    folders = _folders(names)
    if folders >= {"train", "good"} or folders >= {"test", "ground_truth"}:
        return (
            f"looks like an MVTec-style tree, not like the raw dataset; {_ADVICE}, "
            "or check the tree with 'kolektor verify'"
        )
    return None


def _like_item(source: Source, names: Sequence[str]) -> str | None:
    """Tell of the files of one item folder without the folder."""
    top = [stem_and_suffix(name)[0] for name in _images(names) if "/" not in name]
    is_item = any(map(_PART.fullmatch, top)) or any(
        "/" not in name and name.casefold().rpartition(".")[0].endswith("_label")
        for name in _images(names)
    )
    if not is_item:
        return None
    if isinstance(source, FolderSource):
        return (
            "looks like one item folder of KolektorSDD; give the folder that holds it, "
            f"{_parent(source.path)}"
        )
    return (
        "holds the files of one item of KolektorSDD without its folder; put them into a folder "
        "such as kos01"
    )


def _like_half(source: Source, names: Sequence[str]) -> str | None:
    """Tell of the files of KolektorSDD2's train or test without the folder."""
    masks = [name for name, _ in _masks(names) if "/" not in name]
    if not masks:
        return None
    name = source.path.name
    if isinstance(source, FolderSource) and name.casefold() in kolektorsdd2().splits:
        return (
            f"looks like the folder {name} of KolektorSDD2; give the folder that holds it, "
            f"{_parent(source.path)}"
        )
    return (
        f"looks like KolektorSDD2, but its images and masks, such as {masks[0]}, are not in "
        f"folders named train and test; put them into these, or read them so {PAIRS_ADVICE}"
    )


def _like_apart(_source: Source, names: Sequence[str]) -> str | None:
    """Tell of masks that lie in other folders than their images, or all in unknown folders."""
    images: dict[str, list[str]] = {}
    for name in _images(names):
        images.setdefault(stem_and_suffix(name)[0].casefold(), []).append(name)
    for mask, base in _masks(names):
        folder = mask.rpartition("/")[0]
        beside = [n for n in images.get(base.casefold(), []) if _half(n) == _half(mask)]
        apart = [name for name in beside if name.rpartition("/")[0] != folder]
        if apart and len(apart) == len(beside):
            return _put_together(apart[0], mask, f"{base}_GT")
    folders = sorted({mask.rpartition("/")[0] for mask, _ in _masks(names)})
    if not folders:
        return None
    if _folders(names) & kolektorsdd2().splits.keys():
        return (
            f"looks like KolektorSDD2, but its masks lie in {first_names(folders)}; put each mask "
            "beside its image, into a folder named train or test"
        )
    what = f"its images lie in {first_names(folders)} and not in folders named train and test"
    validation = [folder for folder in folders if last_part(folder).casefold() in _VALIDATION]
    if validation:
        return f"looks like KolektorSDD2, but {what}; rename {validation[0]} to test"
    return f"looks like KolektorSDD2, but {what}; rename them, or give the folder that holds these"


def _half(name: str) -> str:
    """Return which of train, test and val a path names, or an empty text."""
    found = [_HALF.match(part) for part in PurePosixPath(name).parts[:-1]]
    return next((match[1].casefold() for match in found if match), "")


def _put_together(image: str, mask: str, stem: str) -> str:
    """Say that images and masks lie apart, and where they should."""
    half = _half(image)
    half = "test" if half == "val" else half or "train"
    suffixes = (PurePosixPath(image).suffix, PurePosixPath(mask).suffix)
    image_to = f"{half}/{stem_and_suffix(image)[0]}{suffixes[0]}"
    return (
        f"has its images and masks in different folders, {image.rpartition('/')[0]} and "
        f"{mask.rpartition('/')[0]}; read them so {PAIRS_ADVICE}, or put each mask "
        f"beside its image: {image} as {image_to}, "
        f"{mask} as {half}/{stem}{suffixes[1]}"
    )


def _like_same_names(_source: Source, names: Sequence[str]) -> str | None:
    """Tell of two folders with files of the same names, of which one may hold the masks."""
    folders = {
        folder: {stem_and_suffix(name)[0].casefold(): name for name in _images(files)}
        for folder, files in by_folder(names).items()
    }
    for folder, files in folders.items():
        if not files or not _MASK_FOLDER.search(last_part(folder)):
            continue
        for other, images in folders.items():
            shared = sorted(files.keys() & images.keys())
            is_near = _half(f"{folder}/x") == _half(f"{other}/x")
            holds_images = other != folder and not _MASK_FOLDER.search(last_part(other))
            if holds_images and is_near and 2 * len(shared) >= len(files):
                image, mask = images[shared[0]], files[shared[0]]
                return _put_together(image, mask, f"{stem_and_suffix(image)[0]}_GT")
    return None


def _like_annotated(_source: Source, names: Sequence[str]) -> str | None:
    """Tell of annotations that are no images."""
    images = _images(names)
    stems = {stem_and_suffix(name)[0].casefold() for name in images}
    notes = [
        name
        for name in names
        if PurePosixPath(name).suffix.casefold() in (".json", ".xml")
        or (
            PurePosixPath(name).suffix.casefold() == ".txt"
            and PurePosixPath(name).stem.casefold() in stems
        )
    ]
    if not images or not notes:
        return None
    kind = PurePosixPath(notes[0]).suffix[1:].upper()
    return (
        f"has annotations as {kind} ({notes[0]}), which are not read: masks must be images, such "
        f"as 10000_GT.png for 10000.png, or labelme's JSON {PAIRS_ADVICE}; draw them "
        f"from the annotations, then {_ADVICE}"
    )


def _like_without_masks(_source: Source, names: Sequence[str]) -> str | None:
    """Tell of KolektorSDD2's images, or of its folders, where there is no mask."""
    release = kolektorsdd2()
    stems = (PurePosixPath(name).with_suffix("") for name in names)
    numbered = any("/".join(stem.parts[-2:]).casefold() in release.names for stem in stems)
    halves = {name for name in _images(names) if PurePosixPath(name).parent.name in release.splits}
    if numbered or halves:
        return f"looks like KolektorSDD2 without its masks, such as 10000_GT.png; {_ADVICE}"
    return None


def _like_archives(source: Source, names: Sequence[str]) -> str | None:
    """Tell of archives, where nothing else was understood."""
    read = [name for name in names if name.casefold().endswith(_READ_ARCHIVES)]
    packed = read or [name for name in names if name.casefold().endswith(_OTHER_ARCHIVES)]
    if not packed:
        return None
    what = (
        f"holds no dataset, but {'an archive' if len(packed) == 1 else f'{len(packed)} archives'}"
    )
    if not isinstance(source, FolderSource):
        return f"{what} ({first_names(packed)}); unpack it and give what is in it"
    if not read:
        return f"{what} ({first_names(packed)}) of a kind that is not read; unpack it"
    if len(packed) == 1:
        return f"{what}; give {source.path / packed[0]}"
    return f"{what} ({first_names(packed)}); give the one with the dataset"


def _like_splits(_source: Source, names: Sequence[str]) -> str | None:
    splits = [name for name in names if name.casefold().endswith((".pyb", ".pkl"))]
    if not splits or _images(names):
        return None
    return (
        f"holds the authors' split files, such as {splits[0]}, and no image; give the dataset, "
        "and one of these with --split"
    )


_Look: TypeAlias = Callable[[Source, Sequence[str]], str | None]

_SURE_LOOKS: tuple[_Look, ...] = (_like_mvtec, _like_item, _like_half, _like_apart)

_LOOKS: tuple[_Look, ...] = (
    *_SURE_LOOKS,
    _like_same_names,
    _like_annotated,
    _like_without_masks,
    _like_splits,
    _like_archives,
)
"""What a source may look like, from the surest to the least sure."""
