"""From a plan to a tree: derived beside its place, checked, and put there by one rename."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from kolektor_cli import __version__, manifest, staging
from kolektor_cli.drafts import FOLDER as DRAFTS
from kolektor_cli.drafts import Draft, DraftFile, Drafts, make_folder, write_drafts
from kolektor_cli.errors import OutputError, UsageError, reason
from kolektor_cli.layout import check_category, paths_of
from kolektor_cli.originals import read_image, read_mask
from kolektor_cli.parallel import Progress, no_progress, parallel_map
from kolektor_cli.records import (
    Color,
    FileEntry,
    Fit,
    Manifest,
    Plan,
    PlannedImage,
    Role,
)
from kolektor_cli.rules import MANIFEST_NAME
from kolektor_cli.source import Source
from kolektor_cli.tree import list_tree

_REPLACEABLE = {"train", "test", "validation", "ground_truth", MANIFEST_NAME}


def check_output(
    source: Path,
    out: Path,
    category: str,
    *,
    force: bool = False,
    beside: Collection[str] = (),
) -> None:
    """Check, before any work, that the category folder may be made, and the files `beside` it.

    Raises
    ------
    UsageError
        The category cannot be a folder's name; the output lies inside the source folder, or would
        replace the source.
    OutputError
        `out` is no folder; or the category folder or a file beside it exists and `force` is not
        given, or is something else than a dataset or a file.
    """
    target = _check_place(source, out, category)
    try:
        if os.path.lexists(target):
            _refuse_existing(target, force)
        for name in beside:
            _refuse_existing_file(out / name, force)
    except OSError as error:
        raise OutputError(f"{target}: cannot be looked into: {reason(error)}") from error


def clear_unfinished(source: Path, out: Path, category: str) -> None:
    """Remove what a killed conversion to the category folder left, if any did.

    What it was about to replace is put back, if it lost its name. `write_tree` does the same; to
    call this before `check_output` removes it, too, when that refuses.

    Raises
    ------
    UsageError
        See `check_output`.
    OutputError
        Another conversion to the folder is under way; or see `check_output`.
    """
    staging.clear_unfinished(_check_place(source, out, category))


def _check_place(source: Path, out: Path, category: str) -> Path:
    """Return the category folder's path, if it can be a folder outside of the source."""
    target = out / check_category(category)
    try:
        inside = source.resolve() if source.is_dir() else None
        if inside and target.resolve().is_relative_to(inside):
            raise UsageError(
                f"{out}: lies inside the source {source}; choose a place outside of it"
            )
        if source.resolve().is_relative_to(target.resolve()):
            raise UsageError(f"{target}: holds the source {source}; choose another place")
        existing = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
        if not existing.is_dir():
            raise OutputError(f"{existing}: is not a folder; choose another place for the output")
    except (OSError, RuntimeError, ValueError) as error:
        # Links in a circle, a path that is too long or holds a NUL.
        raise OutputError(f"{target}: cannot be a folder for the output: {error}") from error
    return target


def _refuse_existing(target: Path, force: bool) -> None:
    if not force:
        raise OutputError(f"{target}: exists already; --force replaces it")
    if target.is_symlink() or not target.is_dir():
        raise OutputError(f"{target}: is not a folder of a dataset; remove it yourself")
    others = sorted(path.name for path in target.iterdir() if path.name not in _REPLACEABLE)
    if others:
        raise OutputError(
            f"{target}: holds {others[0]}, so it is not a dataset's category folder, or not only; "
            "--force does not replace it"
        )


def _refuse_existing_file(path: Path, force: bool) -> None:
    if not os.path.lexists(path):
        return
    if not force:
        raise OutputError(f"{path}: exists already; --force replaces it")
    if not path.is_file():
        raise OutputError(f"{path}: is no file; remove it yourself")


def write_beside(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files beside the category folder, each all or nothing; existing ones are replaced.

    Raises
    ------
    OutputError
        One cannot be written.
    """
    for name, data in files.items():
        staging.replace_file(out / name, data)


@contextmanager
def drafting(out: Path, category: str, fit: Fit, color: Color) -> Iterator[Drafts]:
    """Hold a folder beside the category folder of `out` for drafts of its files.

    The drafts' `write` is what `scan_source` may have visit samples; then `write_tree` makes the
    tree of them. On leaving, what was not used is removed.

    Raises
    ------
    OutputError
        Something in it cannot be written.
    """
    with staging.staged(out / check_category(category)) as stage:
        yield Drafts(stage, fit, color)


def write_tree(
    plan: Plan,
    source: Source,
    out: Path,
    *,
    drafts: Drafts | None = None,
    force: bool = False,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress = no_progress,
) -> Manifest:
    """Write the tree of `plan` to the folder of its category in `out`, all or nothing.

    Files are written to a hidden folder beside the target, which takes the target's name by one
    rename when everything is there and found as planned. With `force` an existing category folder
    is replaced. On any error or interruption nothing is left behind, and an existing folder stays.
    Of `drafts`, those that are planned are used; what they lack is derived from the source.

    Another `executor` may derive and write, `jobs` samples at a time: in other processes, or on
    other machines where `source` and `out` have the same paths. The bytes are the same.

    Raises
    ------
    SourceError, ImageError
        A source file cannot be read or decoded, or is not what it was when it was scanned.
    OutputError, UsageError
        Something cannot be written, or see `check_output`.
    """
    if drafts is None:
        clear_unfinished(source.path, out, plan.category)
    check_output(source.path, out, plan.category, force=force)
    with nullcontext(drafts.stage) if drafts else staging.staged(out / plan.category) as stage:
        made = drafts.by_sample if drafts and drafts.color == plan.color else {}
        run = partial(parallel_map, jobs=jobs, progress=progress, executor=executor)
        entries = _write_files(plan, source, stage, made, run)
        result = _make_manifest(plan, entries)
        with (stage / MANIFEST_NAME).open("wb") as file:
            file.writelines(manifest.to_pieces(result))
        _check_listing(stage, result)
        _put_in_place(stage, out / plan.category, force)
    return result


def _write_files(
    plan: Plan,
    source: Source,
    stage: Path,
    made: Mapping[str, tuple[Draft, ...]],
    run: Callable[..., list[tuple[Draft, ...]]],
) -> list[FileEntry]:
    """Derive what no draft was made of, and give every planned file its place."""
    for folder in sorted({Path(path).parent for i in plan.images for path in paths_of(i)}):
        (stage / folder).mkdir(parents=True, exist_ok=True)
    samples = _by_sample(plan.images)
    missing = {name: views for name, views in samples.items() if not _are_made(views, made)}
    write = partial(_write_sample, source, plan.color, make_folder(stage).absolute())
    written = run(write, list(missing.values()))
    drafts = {**made, **dict(zip(missing, written, strict=True))}
    entries = [e for name, views in samples.items() for e in _place(stage, views, drafts[name])]
    shutil.rmtree(stage / DRAFTS)
    return sorted(entries, key=lambda entry: entry.path)


def _by_sample(planned_images: Iterable[PlannedImage]) -> dict[str, list[PlannedImage]]:
    """Group planned images by sample, so that each source file is decoded once."""
    groups: dict[str, list[PlannedImage]] = defaultdict(list)
    for planned in planned_images:
        groups[planned.sample.name].append(planned)
    return groups


def _are_made(views: Sequence[PlannedImage], made: Mapping[str, Sequence[Draft]]) -> bool:
    """Tell whether there is a draft of every view of a sample."""
    drafted = {(draft.geometry, draft.mask is None) for draft in made.get(views[0].sample.name, ())}
    return all((view.view.geometry, view.mask_path is None) in drafted for view in views)


def _write_sample(
    source: Source, color: Color, folder: Path, planned: Sequence[PlannedImage]
) -> tuple[Draft, ...]:
    """Derive and write all images of one sample, and the masks of those that are defective."""
    sample = planned[0].sample
    views = [image.view for image in planned]
    defective = any(view.label == "defective" for view in views)
    mask = read_mask(source, sample) if defective else None
    return write_drafts(folder, views, read_image(source, sample), mask, color)


def _place(
    stage: Path, views: Iterable[PlannedImage], drafts: Iterable[Draft]
) -> Iterator[FileEntry]:
    """Give the drafts of one sample their places in the tree."""
    drafted = {draft.geometry: draft for draft in drafts}
    for planned in views:
        draft = drafted[planned.view.geometry]
        yield _place_file(stage, planned, planned.path, "image", draft.image)
        if planned.mask_path is not None and draft.mask is not None:
            yield _place_file(stage, planned, planned.mask_path, "mask", draft.mask)


def _place_file(
    stage: Path, planned: PlannedImage, path: str, role: Role, file: DraftFile
) -> FileEntry:
    (stage / DRAFTS / file.name).rename(stage / path)
    sample = planned.sample
    return FileEntry(
        path=path,
        role=role,
        sample=sample.name,
        group=sample.group,
        split=planned.split,
        label=planned.view.label,
        sha256=file.sha256,
        pixels_sha256=file.pixels_sha256,
        source_sha256=sample.image_sha256 if role == "image" else sample.mask_sha256,
        geometry=planned.view.geometry,
    )


def _make_manifest(plan: Plan, entries: list[FileEntry]) -> Manifest:
    return Manifest(
        kolektor=__version__,
        category=plan.category,
        release=plan.release,
        options=plan.options,
        protocol=plan.split.protocol,
        protocol_parameters=plan.split.parameters,
        lost=plan.lost,
        unused=plan.unused,
        left_out=plan.left_out,
        fingerprint=manifest.fingerprint((e.path, e.pixels_sha256) for e in entries),
        files=tuple(entries),
    )


def _check_listing(stage: Path, expected: Manifest) -> None:
    """Check that the files on disk are those of the manifest; what is in them is verify's work."""
    found = {path for path, kind in list_tree(stage).items() if kind != "folder"}
    wanted = {entry.path for entry in expected.files} | {MANIFEST_NAME}
    if found != wanted:
        path = min(found ^ wanted)
        raise OutputError(f"{stage / path}: was added or removed by someone else; convert again")


def _put_in_place(stage: Path, target: Path, force: bool) -> None:
    """Give the finished folder its name, unless someone else gave it to something meanwhile."""
    if os.path.lexists(target):
        _refuse_existing(target, force)
    staging.put_in_place(stage, target, replace=force)
