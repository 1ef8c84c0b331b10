"""The steps of a conversion, for tests that need what the options of `convert` cannot express."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeAlias

from kolektor_cli.io.parallel import Progress, no_progress
from kolektor_cli.io.source import open_source
from kolektor_cli.io.staging import staged
from kolektor_cli.raw.scan import Scan, scan_source
from kolektor_cli.splits.protocols import balanced
from kolektor_cli.splits.split import Split
from kolektor_cli.tree.fit import AskedSize, FitName, make_fit
from kolektor_cli.tree.layout import Color, Names
from kolektor_cli.tree.manifest import Manifest
from kolektor_cli.tree.plan import make_plan
from kolektor_cli.tree.target import choose_target, put_in_place, refuse_existing
from kolektor_cli.tree.views import view_samples
from kolektor_cli.tree.write import write_tree

MakeSplit: TypeAlias = Callable[[Scan], Split]


def by_default(scan: Scan) -> Split:
    """Split as `convert` does unless it is told otherwise."""
    return balanced(scan.samples, scan.duplicates)


def nothing() -> None:
    """Do nothing."""


def convert(
    path: Path,
    out: Path,
    *,
    make_split: MakeSplit = by_default,
    fit: FitName = "stretch",
    size: AskedSize = None,
    color: Color = "rgb",
    names: Names = "index",
    category: str = "metal",
    force: bool = False,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress = no_progress,
    before_writing: Callable[[], object] = nothing,
) -> Manifest:
    """Write a tree with any split, by any executor, or with something done before it is written.

    `progress` is that of writing. For all that the options of `kolektor_cli.convert` can say, use
    that function: it derives while it scans, this one after it.
    """
    with open_source(path) as source:
        target = choose_target(source.path, out, category)
        refuse_existing(target, force=force)
        with staged(target) as stage:
            scan = scan_source(source, jobs=jobs)
            fitted = make_fit(fit, size, default=(500, 1240))
            views = view_samples(fitted, source, scan.samples, jobs=jobs)
            plan = make_plan(
                scan, make_split(scan), views, category=category, color=color, names=names
            )
            before_writing()
            manifest = write_tree(
                plan, source, stage, {}, jobs=jobs, executor=executor, progress=progress
            )
            put_in_place(stage, target, {}, force=force)
    return manifest
