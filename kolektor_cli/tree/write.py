"""Writing of a planned tree: its files and its manifest."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from kolektor_cli.errors import OutputError
from kolektor_cli.imaging.depth import Depth
from kolektor_cli.io.parallel import Progress, no_progress, parallel_map
from kolektor_cli.io.source import Source
from kolektor_cli.raw.load import read_image, read_mask
from kolektor_cli.samples import natural_key
from kolektor_cli.tree.derive import FOLDER, DerivedFile, DerivedView, make_folder, write_views
from kolektor_cli.tree.layout import MANIFEST_NAME, Color
from kolektor_cli.tree.manifest import FileEntry, Manifest, Role, fingerprint, to_pieces
from kolektor_cli.tree.plan import Plan, PlannedImage, paths_of
from kolektor_cli.tree.read import list_tree
from kolektor_cli.version import __version__


def write_tree(
    plan: Plan,
    source: Source,
    stage: Path,
    made: Mapping[str, tuple[DerivedView, ...]],
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress = no_progress,
) -> Manifest:
    """Write a planned tree with its manifest to the folder `stage`, and return the manifest.

    `made` holds the files that `derive_sample` already wrote to the stage, by sample; the stage is
    empty otherwise. All other files are derived from the source, by `jobs` threads or by another
    `executor`: in other processes, or on other machines where source and stage have the same paths.
    The bytes are the same.

    Raises
    ------
    SourceError, ImageError
        A source file cannot be read or decoded, or changed since the scan.
    OutputError
        In the end, the stage holds other files than planned.
    OSError
        A file cannot be written.
    """
    run = partial(parallel_map, jobs=jobs, progress=progress, executor=executor)
    lengths = _write_files(plan, source, stage, made, run)
    manifest = _make_manifest(plan, list(lengths))
    with (stage / MANIFEST_NAME).open("wb") as file:
        file.writelines(to_pieces(manifest))
    _check_listing(stage, {entry.path: length for entry, length in lengths.items()})
    return manifest


def _write_files(
    plan: Plan,
    source: Source,
    stage: Path,
    made: Mapping[str, tuple[DerivedView, ...]],
    run: Callable[..., list[tuple[DerivedView, ...]]],
) -> dict[FileEntry, int]:
    """Derive the files that are not made yet, move all to their paths, and return their lengths."""
    for folder in sorted({Path(path).parent for i in plan.images for path in paths_of(i)}):
        (stage / folder).mkdir(parents=True, exist_ok=True)
    samples = _by_sample(plan.images)
    missing = {name: views for name, views in samples.items() if not _are_made(views, made)}
    write = partial(_write_sample, source, plan.color, plan.depth, make_folder(stage).absolute())
    written = run(write, list(missing.values()))
    derived = {**made, **dict(zip(missing, written, strict=True))}
    placed = [p for name, views in samples.items() for p in _place(stage, views, derived[name])]
    shutil.rmtree(stage / FOLDER)
    return dict(sorted(placed, key=lambda place: place[0].path))


def _by_sample(planned_images: Iterable[PlannedImage]) -> dict[str, list[PlannedImage]]:
    """Group planned images by sample, so that each source file is decoded once."""
    groups: dict[str, list[PlannedImage]] = defaultdict(list)
    for planned in planned_images:
        groups[planned.sample.name].append(planned)
    return groups


def _are_made(views: Sequence[PlannedImage], made: Mapping[str, Sequence[DerivedView]]) -> bool:
    """Return whether the files of every view of a sample are in `made`."""
    there = {(view.geometry, view.mask is None) for view in made.get(views[0].sample.name, ())}
    return all((p.view.geometry, not _has_mask(p)) in there for p in views)


def _has_mask(planned: PlannedImage) -> bool:
    """Return whether an image has a mask, even if it is not used in this split."""
    return planned.view.label == "defective" and planned.sample.is_marked


def _write_sample(
    source: Source, color: Color, depth: Depth, folder: Path, planned: Sequence[PlannedImage]
) -> tuple[DerivedView, ...]:
    sample = planned[0].sample
    views = [image.view for image in planned]
    mask = read_mask(source, sample) if any(map(_has_mask, planned)) else None
    return write_views(folder, views, read_image(source, sample, depth), mask, color)


def _place(
    stage: Path, views: Iterable[PlannedImage], derived: Iterable[DerivedView]
) -> Iterator[tuple[FileEntry, int]]:
    """Move the files of one sample to their paths; yield each with its length in bytes."""
    by_geometry = {view.geometry: view for view in derived}
    for planned in views:
        view = by_geometry[planned.view.geometry]
        yield _place_file(stage, planned, planned.path, "image", view.image)
        if planned.mask_path is not None and view.mask is not None:
            yield _place_file(stage, planned, planned.mask_path, "mask", view.mask)


def _place_file(
    stage: Path, planned: PlannedImage, path: str, role: Role, file: DerivedFile
) -> tuple[FileEntry, int]:
    (stage / FOLDER / file.name).rename(stage / path)
    sample = planned.sample
    entry = FileEntry(
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
    return entry, file.length


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
        fingerprint=fingerprint((e.path, e.pixels_sha256) for e in entries),
        files=tuple(entries),
        segmented=_sorted(plan.split.segmented),
    )


def _sorted(segmented: Mapping[str, bool]) -> dict[str, bool]:
    return {name: segmented[name] for name in sorted(segmented, key=natural_key)}


def _check_listing(stage: Path, lengths: Mapping[str, int]) -> None:
    """Check names and lengths of the files on disk; ``verify`` checks their contents."""
    found = {
        path: (stage / path).lstat().st_size
        for path, kind in list_tree(stage).items()
        if kind != "folder" and path != MANIFEST_NAME
    }
    for path in sorted(found.items() ^ lengths.items()):
        message = "was added, removed or changed by another program"
        raise OutputError(f"{stage / path[0]}: {message}; convert again")
