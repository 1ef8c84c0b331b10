"""What a source holds, what is wrong with it, and what a fit would make of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kolektor_cli.consumers.catalogue import CENTER_CROPS
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import KolektorError, SourceError, UsageError
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.raw.layouts import recognise
from kolektor_cli.raw.scan import Scan, scan_source
from kolektor_cli.tree.defects import FitSummary, summarise_fit
from kolektor_cli.tree.fit import AskedSize, FitName, make_fit
from kolektor_cli.tree.views import view_samples

_NOT_SAMPLES = {"nested-item", "stray-mask", "stray-samples", "unread-image"}
"""Codes of errors about files that are not counted as samples: no option leaves them out."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a source holds; `fit` is what the fit asked for would make of it, if one was."""

    scan: Scan
    fit: FitSummary | None

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not self.scan.errors


def inspect(
    source: str | os.PathLike[str],
    *,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    fit: FitName | None = None,
    size: AskedSize = None,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Inspection:
    """Count what a source holds and find every deviation.

    Parameters
    ----------
    source
        A folder, or a zip or tar archive.
    layout
        How the source is read; see `LayoutOptions`.
    fit, size
        With one of them given, follow the defects through this fit to output images of this size:
        (width, height) in pixels or ``"source"``.
    jobs
        Number of threads; by default one a processor.
    progress
        Called with step, number done and total.

    Raises
    ------
    SourceError
        The source cannot be read, or holds no dataset that is known.
    UsageError
        The size cannot be made, the fit does not take it, or a layout option has a wrong value.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> inspection = kolektor.inspect("KolektorSDD")
    >>> inspection.ok, len(inspection.scan.samples)
    (True, 32)
    """
    with open_source(Path(source)) as opened:
        release = recognise(opened, layout)
        wanted = make_fit(fit or "stretch", size, default=release.size) if fit or size else None
        scan = scan_source(
            opened, layout=layout, jobs=jobs, progress=partial(progress, "inspecting")
        )
        summary = None
        if wanted is not None:
            views = view_samples(wanted, opened, scan.samples, jobs=jobs)
            summary = summarise_fit(views, opened, scan.samples, CENTER_CROPS, jobs=jobs)
    return Inspection(scan, summary)


def is_dataset(path: Path) -> bool:
    """Return whether a folder or archive holds a raw dataset that is known."""
    try:
        with open_source(path) as opened:
            recognise(opened)
    except KolektorError:
        return False
    return True


@contextmanager
def tells_swapped(source: str | os.PathLike[str], out: str | os.PathLike[str]) -> Iterator[None]:
    """Tell where a source is refused and the output is a dataset that they are swapped.

    Raises
    ------
    UsageError
        In place of the source's error: `source` is no dataset, and `out` is one.
    """
    try:
        yield
    except SourceError as error:
        if is_dataset(Path(out)) and not is_dataset(Path(source)):
            raise UsageError(
                f"{out}: is the raw dataset, and {source} is not; SOURCE comes first, then OUT"
            ) from error
        raise


def require_usable(scan: Scan, *, skip_bad: bool) -> None:
    """Refuse a scan with errors, or with `skip_bad` one that leaves no sample.

    Raises
    ------
    SourceError
        There are errors and `skip_bad` is not given; or no sample is usable.
    """
    errors = scan.errors
    if skip_bad and scan.samples:
        # Who leaves out samples must know which: these errors are of files that are none.
        errors = tuple(error for error in errors if error.code in _NOT_SAMPLES)
    if not errors:
        return
    first = errors[0]
    more = len(errors) - 1
    others = f" (and {more} more errors, see 'kolektor inspect')" if more else ""
    advice = "fix the source"
    if not skip_bad and first.code not in _NOT_SAMPLES:
        advice += ", or leave it out with --skip-bad"
    raise SourceError(f"{first.path}: {first.message}{others}; {advice}")
