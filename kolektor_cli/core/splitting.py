"""Which sample of a source goes to which split."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kolektor_cli.core.inspection import require_usable
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import SplitFileError, UsageError, reason
from kolektor_cli.io.places import inputs_of, is_stream, refuse_file, refuse_inputs
from kolektor_cli.io.source import open_source
from kolektor_cli.io.staging import replace_file
from kolektor_cli.raw.layout_options import KOLEKTOR_LAYOUT, LayoutOptions
from kolektor_cli.raw.layouts import recognise
from kolektor_cli.raw.scan import Scan, scan_source
from kolektor_cli.splits.files import check_split_file, read_split, split_bytes
from kolektor_cli.splits.protocols import (
    PROTOCOLS,
    check_request,
    make_split,
    takes_seed,
)
from kolektor_cli.splits.split import (
    DEFAULT_SPLIT,
    Leak,
    SideDefects,
    Split,
    SplitOptions,
    find_leaks,
)
from kolektor_cli.tree.fit import FitName


@dataclass(frozen=True, slots=True)
class Splitting:
    """A split of a source, the scan that it was made from, and what leaks from train to test."""

    scan: Scan
    split: Split
    leaks: tuple[Leak, ...]


def split(
    source: str | os.PathLike[str],
    options: SplitOptions = DEFAULT_SPLIT,
    *,
    layout: LayoutOptions = KOLEKTOR_LAYOUT,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    skip_bad: bool = False,
    trust_masks: bool = False,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Splitting:
    """Assign every sample of a source to train, val, test or unused.

    Parameters
    ----------
    source
        A folder or a zip archive.
    options
        The protocol and its options; by default the protocol of the release, with its defaults.
    layout
        How the source is read; see `LayoutOptions`.
    output
        Write a split file there, all or nothing. It must lie outside the source.
    force
        Replace `output` if it exists. A device or a pipe is written to without it.
    skip_bad
        Leave out samples with errors instead of refusing the source.
    trust_masks
        Take the masks' labels, even of official images that have another label officially.
    jobs
        Number of threads; by default one a processor.
    progress
        Called with step, number done and total.

    Raises
    ------
    SourceError
        The source cannot be read, holds no dataset that is known, or has errors.
    UsageError
        The protocol does not take an option, needs another one, or cannot be made of the source.
    SplitFileError
        The split file cannot be read or does not fit the source.
    OutputError
        `output` exists and `force` is not given, or it cannot be written.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> found = kolektor.split("KolektorSDD", kolektor.SplitOptions(seed=7))
    >>> sum(name == "test" for name in found.split.assigned.values())
    8
    """
    refuse_contradictions(options)
    with open_source(Path(source)) as opened:
        default = recognise(opened, layout).protocol
        check_split(options, default)
        if output is not None:
            refuse_inputs(
                Path(output), inputs_of(opened, [] if options.file is None else [options.file])
            )
            refuse_file(Path(output), force=force)
        told = partial(progress, "scanning")
        # No pixel is written, so none is reduced too much.
        scan = scan_source(
            opened,
            layout=layout,
            depth="full",
            trust_masks=trust_masks,
            jobs=jobs,
            progress=told,
        )
    require_usable(scan, skip_bad=skip_bad)
    made = split_scan(scan, options, default)
    if output is not None:
        replace_file(Path(output), split_bytes(made, scan.samples), replace=force)
    return Splitting(scan, made, tuple(find_leaks(made.assigned, scan.duplicates)))


def split_scan(
    scan: Scan, options: SplitOptions, default: str, *, fit: FitName | None = None
) -> Split:
    """Split what a scan found, by the protocol asked for, by `default`, or by a file.

    Raises
    ------
    UsageError, SplitFileError
        See `split`.
    """
    if options.file is not None:
        data = _read_input(Path(options.file))
        name = "standard input" if str(options.file) == "-" else str(options.file)
        return read_split(
            data, scan.samples, name, fold=options.fold, train_defects=_of_side(options)
        )
    protocol, given = _request(options, default, fit)
    return make_split(protocol, scan.samples, scan.duplicates, given)


def check_split(options: SplitOptions, default: str, *, fit: FitName | None = None) -> None:
    """Check, before any sample is known, that a split can be made.

    Raises
    ------
    UsageError
        The protocol does not take an option, needs another one, or refuses a value.
    KolektorError, SplitFileError
        The split file cannot be read, or is none.
    """
    if options.file is None:
        check_request(*_request(options, default, fit))
        return
    if not str(options.file):
        raise UsageError("--split has no name of a file")
    path = Path(options.file)
    if str(path) == "-" or is_stream(path):
        return  # can be read only once
    check_split_file(
        _read_input(path), str(path), fold=options.fold, train_defects=_of_side(options)
    )


def _of_side(options: SplitOptions) -> SideDefects | None:
    """Return what becomes of the defective samples that a file lists to train on."""
    return None if isinstance(options.train_defects, int) else options.train_defects


def _request(
    options: SplitOptions, default: str, fit: FitName | None
) -> tuple[str, dict[str, object]]:
    """Return the protocol and the options that it is given."""
    protocol, given = options.protocol or default, options.given()
    takes = protocol in PROTOCOLS and takes_seed(protocol, given)
    if fit == "square" and not takes:
        # The seed is for the windows alone.
        given.pop("seed", None)
    return protocol, given


def refuse_contradictions(options: SplitOptions, *, fit: FitName | None = None) -> None:
    """Refuse options that a split file makes meaningless.

    `fold` may choose one of its folds, `train_defects` what becomes of the defective samples that
    the authors' files list, and `seed` is for the windows of the fit ``square``, too.

    Raises
    ------
    UsageError
        There is a file and such an option.
    """
    if options.file is None:
        return
    meant = {"fold", "seed"} if fit == "square" else {"fold"}
    if options.train_defects in ("unused", "train"):
        meant.add("train_defects")
    given = [name for name in options.given() if name not in meant]
    if options.protocol is not None:
        given.append("protocol")
    if given:
        option = "--" + given[0].replace("_", "-")
        raise UsageError(f"{option} and --split exclude each other: the file is the split")


def _read_input(path: Path) -> bytes:
    """Read a file, or standard input for ``-``."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise SplitFileError(f"{path}: cannot be read: {reason(error)}") from error
