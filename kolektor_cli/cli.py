"""The command line: each command reads its options, calls the API, shows the result.

OpenCV, NumPy and Rich are imported when a command first needs them, so that help comes at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
import typer.core

import kolektor_cli as api
from kolektor_cli import render, render_conversion
from kolektor_cli.consumers import (
    CENTER_CROPS,
    Offer,
    defaults_for,
    guide_for,
    require_needs,
)
from kolektor_cli.errors import KolektorError, UsageError, reason
from kolektor_cli.options import (
    ConsumerOption,
    DropLeaksOption,
    FitOption,
    FoldOption,
    FoldsOption,
    JobsOption,
    JsonOption,
    ProtocolOption,
    QuietOption,
    SeedOption,
    SizeOption,
    SkipBadOption,
    SourceArgument,
    SplitSeedOption,
    TestGoodOption,
    TrainDefectsOption,
    ValOption,
    parse_size,
)
from kolektor_cli.records import (
    Color,
    ConsumerName,
    Conversion,
    Fit,
    FitName,
    Guide,
    Names,
    Plan,
    SampleLayout,
    Scan,
    Size,
    Split,
)

if TYPE_CHECKING:
    from kolektor_cli.console import Console
    from kolektor_cli.releases import Release
    from kolektor_cli.source import Source


class _Group(typer.core.TyperGroup):
    """Turns our errors into one message and their exit code, for every command."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KolektorError as error:
            _tell_error(str(error))
            raise typer.Exit(error.exit_code) from error
        except MemoryError as error:
            _tell_error("memory ran out; a smaller --jobs needs less")
            raise typer.Exit(KolektorError.exit_code) from error
        except BrokenPipeError as error:
            # The reader has what it wanted. What is still buffered must not fail at exit.
            _discard_standard_output()
            raise typer.Exit(0) from error
        except OSError as error:
            _discard_standard_output()
            _tell_error(f"{error.filename or 'standard output'}: {reason(error)}")
            raise typer.Exit(KolektorError.exit_code) from error
        return result


def _tell_error(message: str) -> None:
    typer.echo(f"Error: {render.one_line(message)}", err=True)


def _discard_standard_output() -> None:
    with suppress(OSError):  # too many open files
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    name="kolektor",
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    # Without Rich, help needs a third of the time and reads the same in a pipe.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _exit_by_signal(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line."""
    # What OpenCV has to say of a file is in our message; it would say it again on its own.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    # Threads of our own multiply matrices; OpenBLAS's would wait for each other, spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _keep_freed_memory()
    # Whoever ends the process lets it remove what is unfinished first, as Ctrl-C does.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _exit_by_signal)
    # Names from the file system may hold what the output's encoding cannot say.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kolektor {api.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Turn raw KolektorSDD and KolektorSDD2 downloads into MVTec-AD-style datasets to be trusted.

    \b
    Example:
      kolektor inspect KolektorSDD.zip
      kolektor convert KolektorSDD.zip data
      kolektor verify data
    """


@app.command()
def inspect(
    source: SourceArgument,
    fit: FitOption = None,
    size: SizeOption = None,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row a sample.")] = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Count what a source holds and report every deviation.

    Exit code 1 if any finding is an error.

    \b
    Example:
      kolektor inspect KolektorSDD.zip
      kolektor inspect KolektorSDD.zip --csv > samples.csv
      kolektor inspect KolektorSDD.zip --fit crop --size 500x1000
    """
    if json and csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    console = _console(quiet)
    with api.open_source(source) as opened:
        release = api.recognise(opened)
        wanted = _make_fit(fit, size, None, release.size) if fit or size else None
        with console.progress("inspect") as progress:
            scan = api.scan_source(opened, jobs=jobs, progress=progress)
        preview = None
        if wanted is not None:
            fitted = api.fit_samples(wanted, opened, scan.samples, jobs=jobs)
            preview = api.preview_fit(fitted, opened, scan.samples, CENTER_CROPS, jobs=jobs)
    ok = not scan.errors
    if json:
        geometry = {"geometry": render_conversion.preview_json(preview)} if preview else {}
        console.json("inspect", ok, render.scan_json(scan) | geometry)
    elif csv:
        console.csv(render.scan_rows(scan))
        console.notes(scan.findings)
    else:
        console.tables(render.scan_tables(scan))
        console.tables(render_conversion.preview_tables(preview) if preview else [])
        console.findings(scan.findings)
    _exit_unless(ok)


@app.command()
def split(
    source: SourceArgument,
    protocol: ProtocolOption = None,
    seed: SplitSeedOption = None,
    test_good: TestGoodOption = None,
    val: ValOption = None,
    fold: FoldOption = None,
    folds: FoldsOption = None,
    drop_leaks: DropLeaksOption = False,
    train_defects: TrainDefectsOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write; - is stdout.")
    ] = Path("-"),
    skip_bad: SkipBadOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Assign every sample to train, val, test or unused; print CSV.

    \b
    Protocols (counts on KolektorSDD):
      balanced  test all defective and as many good samples, train on the other
                good ones; the same picture stays on one side: 295 / 52 + 52
      vicos     the authors' folds, --fold 0|1|2; with --drop-leaks without what
                they have on both sides: fold 0 tests 117 good and 18 defective
      grouped   --folds K --fold I: whole physical items, of which there are 47
      anomalib  the split of Anomalib's Kolektor data module: 277 / 70 + 52
      official  KolektorSDD2's own folders train and test, of its train the good
                ones, on KolektorSDD2: 2085 / 894 + 110

    \b
    Example:
      kolektor split KolektorSDD.zip --seed 7 -o split.csv
      kolektor split KolektorSDD.zip | kolektor convert KolektorSDD.zip data --split -
    """
    options = _given(
        seed=seed,
        test_good=test_good,
        val=val,
        fold=fold,
        folds=folds,
        drop_leaks=drop_leaks,
        train_defects=train_defects,
    )
    console = _console(quiet)
    release = _recognise(source)
    with _usable(source, console, jobs, skip_bad=skip_bad) as (_, scan):
        made = api.make_split(protocol or release.protocol, scan.samples, scan.duplicates, options)
    _tell(console, scan, api.find_leaks(made.assigned, scan.duplicates))
    rows = api.split_rows(made, scan.samples)
    console.csv(rows, None if str(output) == "-" else output)


@app.command()
def convert(
    source: SourceArgument,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder that gets the category folder.")
    ],
    category: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of that folder; default: metal, or kolektorsdd2."),
    ] = None,
    consumer: ConsumerOption = None,
    fit: FitOption = "stretch",
    size: SizeOption = None,
    color: Annotated[
        Color, typer.Option(help="Three equal channels, which every consumer reads, or one.")
    ] = "rgb",
    names: Annotated[
        Names, typer.Option(help="000.png, 001.png, ..., or as in kos01_Part5.png.")
    ] = "index",
    protocol: ProtocolOption = None,
    seed: SplitSeedOption = None,
    test_good: TestGoodOption = None,
    val: ValOption = None,
    fold: FoldOption = None,
    folds: FoldsOption = None,
    drop_leaks: DropLeaksOption = False,
    train_defects: TrainDefectsOption = None,
    split_file: Annotated[
        Path | None,
        typer.Option(
            "--split", metavar="FILE", help="Take the split from a CSV file; - is standard input."
        ),
    ] = None,
    skip_bad: SkipBadOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the category folder if it exists.")
    ] = False,
    table: Annotated[
        bool, typer.Option("--table", help="With --for anomalib: list the images in a CSV file.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")
    ] = False,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Write on the Dask cluster of this scheduler, which shares SOURCE and OUT.",
        ),
    ] = None,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the MVTec-AD-style dataset: complete, or not at all.

    \b
    Fits:
      stretch  the whole image, each axis scaled by itself
      pad      the whole image, its aspect kept, black around it
      crop     the central window of --size, not resampled
      thirds   three crops along the height, not resampled
      square   windows of --size N, not resampled: over every defect, and of
               good images one at a place that --seed decides

    \b
    Example:
      kolektor convert KolektorSDD.zip data
      kolektor convert KolektorSDD.zip data --size 256x640 --seed 7 --force
      kolektor convert KolektorSDD.zip data --fit square --dry-run
      kolektor convert KolektorSDD2.zip data --train-defects test
      kolektor convert KolektorSDD.zip data --for patchcore
    """
    options = _given(
        seed=seed,
        test_good=test_good,
        val=val,
        fold=fold,
        folds=folds,
        drop_leaks=drop_leaks,
        train_defects=train_defects,
    )
    if split_file is not None:
        _refuse_protocol_options(protocol, options, fit)
    release = _recognise(source)
    rule = protocol or release.protocol
    usual_category, usual_size = defaults_for(consumer, release.category, release.size)
    category = usual_category if category is None else category
    wanted = _make_fit(fit, size, seed, usual_size)
    require_needs(consumer, Offer(out, category, [wanted.size] if wanted.size else [], [color]))
    beside = api.side_files(consumer, out, category, (), table=table)
    if not dry_run:
        api.clear_unfinished(source, out, category)
    api.check_output(source, out, category, force=force, beside=beside)
    console = _console(quiet)
    # Files are written while the source is scanned, unless others are to write them, or nobody.
    address = None if dry_run else dask
    local = not dry_run and dask is None
    with (
        api.dask_cluster(address) if address else nullcontext((None, jobs)) as (executor, writers),
        api.drafting(out, category, wanted, color) if local else nullcontext() as drafts,
        _usable(source, console, jobs, skip_bad=skip_bad, drafts=drafts) as (opened, scan),
    ):
        if split_file is not None:
            chosen = _read_split(split_file, scan, fold)
        else:
            options = _for_protocol(rule, fit, options)
            chosen = api.make_split(rule, scan.samples, scan.duplicates, options)
        leaks = api.find_leaks(chosen.assigned, scan.duplicates)
        fitted = api.fit_samples(wanted, opened, scan.samples, jobs=jobs)
        plan = api.make_plan(scan, chosen, fitted, category=category, color=color, names=names)
        paths = [image.path for image in plan.images]
        beside = api.side_files(consumer, out, category, paths, table=table)
        guide = _guide(consumer, out, plan, beside)
        _tell(console, scan, leaks)
        _tell_losses(console, plan, beside)
        preview, manifest = None, None
        if dry_run:
            preview = api.preview_fit(fitted, opened, scan.samples, CENTER_CROPS, jobs=jobs)
        else:
            with console.progress("convert") as progress:
                manifest = api.write_tree(
                    plan,
                    opened,
                    out,
                    drafts=drafts,
                    force=force,
                    jobs=writers,
                    executor=executor,
                    progress=progress,
                )
            api.write_beside(out, beside)
    conversion = Conversion(
        target=str(out / category),
        scan=scan,
        plan=plan,
        counts=api.count_images(fitted, chosen),
        leaks=tuple(leaks),
        guide=guide,
        preview=preview,
        manifest=manifest,
    )
    _show_conversion(console, conversion, json=json)


def _show_conversion(console: Console, conversion: Conversion, *, json: bool) -> None:
    if json:
        console.json("convert", True, render_conversion.conversion_json(conversion))
    else:
        console.tables(render_conversion.conversion_tables(conversion))
        for line in render_conversion.conversion_lines(conversion):
            console.line(line)


def _guide(
    consumer: ConsumerName | None, out: Path, plan: Plan, files: Iterable[str]
) -> Guide | None:
    """Tell how the consumer trains on what is planned; refuse what it cannot train on."""
    if consumer is None:
        return None
    sizes = {image.view.geometry.size for image in plan.images}
    offer = Offer(out, plan.category, sizes, [plan.color])
    require_needs(consumer, offer)
    return guide_for(consumer, offer, files)


def _tell_losses(console: Console, plan: Plan, beside: Collection[str]) -> None:
    """Tell what a plan leaves out of the images, or of the files beside them."""
    if plan.lost:
        console.note(render_conversion.lost_line(plan.lost))
    listed = [name for name in beside if not name.endswith(".yaml")]
    if listed and any(image.split == "val" for image in plan.images):
        console.note(
            f"images for validation are not in {' and '.join(listed)}: its reader takes none"
        )


@app.command()
def verify(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A category folder, or a folder of such.")
    ],
    source: Annotated[
        Path | None,
        typer.Option(metavar="SOURCE", help="Derive every file again from this raw dataset."),
    ] = None,
    consumer: ConsumerOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Near duplicates in train and test are errors.")
    ] = False,
    json: JsonOption = False,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check an MVTec-AD-style dataset, whoever made it.

    Exit code 1 if any check fails.

    \b
    Example:
      kolektor verify data
      kolektor verify data/metal --source KolektorSDD.zip --json
      kolektor verify data --for patchcore
    """
    console = _console(quiet)
    categories = api.find_categories(out)
    reports = []
    with _maybe_scanned(source, console, jobs) as (opened, scan):
        for category in categories:
            with console.progress(f"verify {category.name}") as progress:
                reports.append(
                    api.verify_tree(
                        category,
                        source=opened,
                        scan=scan,
                        consumer=consumer,
                        strict=strict,
                        jobs=jobs,
                        progress=progress,
                    )
                )
    ok = all(report.ok for report in reports)
    if json:
        found = [render.report_json(report) for report in reports]
        console.json("verify", ok, {"categories": found})
    else:
        for report in reports:
            _show_report(console, report)
    _exit_unless(ok)


def _show_report(console: Console, report: api.Report) -> None:
    console.tables(render.report_tables(report))
    for check in report.checks:
        console.findings(check.findings, check.name)
    if report.fingerprint:
        console.line(f"fingerprint {report.fingerprint}")
    failed = [check.name for check in report.checks if not check.ok]
    console.line(f"{report.category}: " + (f"FAILED: {', '.join(failed)}" if failed else "ok"))


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    items: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Item folders, of kolektorsdd2 images; default: as the real dataset, 50 or 3335.",
        ),
    ] = None,
    layout: Annotated[
        SampleLayout,
        typer.Option(help="The dataset to be like: KolektorSDD, KolektorSDD-boxes, KolektorSDD2."),
    ] = "kolektorsdd",
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Draw a synthetic KolektorSDD, KolektorSDD-boxes or KolektorSDD2 to try things on.

    \b
    Example:
      kolektor sample KolektorSDD-synthetic
      kolektor sample small --items 4 --seed 1
      kolektor sample KolektorSDD2-synthetic --layout kolektorsdd2
    """
    console = _console(quiet)
    with console.progress("sample") as progress:
        counts = api.write_sample(
            out, layout=layout, items=items, seed=seed, jobs=jobs, progress=progress
        )
    console.tables([render.sample_table(str(out), counts)])


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed, up to 256 MB, instead of returning it to the system each time.

    Blocks of 8 MB and more are returned at once: the text of a long manifest, say, which is needed
    once, and would take 50 MB of 40 000 samples to the end.

    Every image takes several buffers of a megabyte; to get and return them costs 0.09 s of a
    conversion (2.64 s against 2.56 s on the real dataset, medians of 11 in turn); to keep them,
    4 MB. Elsewhere than under glibc nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    mallopt(trim_threshold, 2**28)
    mallopt(mmap_threshold, 2**23)


def _console(quiet: bool) -> Console:
    from kolektor_cli.console import Console

    return Console(quiet=quiet)


def _recognise(path: Path) -> Release:
    """Tell by a source's names which release it is, and so what is done with it by default."""
    with api.open_source(path) as source:
        return api.recognise(source)


@contextmanager
def _usable(
    path: Path,
    console: Console,
    jobs: int | None,
    *,
    skip_bad: bool,
    drafts: api.Drafts | None = None,
) -> Iterator[tuple[Source, Scan]]:
    """Open and scan a source, drafting what may be written of it; refuse what is broken."""
    visit = {"visit": drafts.write} if drafts else {}
    with api.open_source(path) as source:
        with console.progress("scan") as progress:
            scan = api.scan_source(source, jobs=jobs, progress=progress, **visit)
        api.require_usable(scan, skip_bad=skip_bad)
        yield source, scan


def _tell(console: Console, scan: Scan, leaks: Sequence[api.Leak]) -> None:
    """Tell what of a source deviates, what is left out, and what of a split leaks."""
    console.notes(scan.findings)
    if leaks:
        console.note(render.leaks_line(leaks))
    if scan.left_out:
        console.note(f"left out: {', '.join(scan.left_out)}")


@contextmanager
def _maybe_scanned(
    path: Path | None, console: Console, jobs: int | None
) -> Iterator[tuple[Source | None, Scan | None]]:
    """Open and scan a source if one is given."""
    if path is None:
        yield None, None
        return
    with api.open_source(path) as source:
        with console.progress("scan") as progress:
            scan = api.scan_source(source, jobs=jobs, progress=progress)
        console.notes(scan.findings)
        yield source, scan


def _make_fit(fit: FitName | None, size: str | None, seed: int | None, default: Size) -> Fit:
    return api.make_fit(fit or "stretch", parse_size(size), default=default, seed=seed or 0)


def _given(**options: object) -> dict[str, object]:
    """Keep the options that were given: those of the protocol have their defaults there."""
    # By identity: 0 is a seed and a fold like any other, and equal to False.
    return {n: value for n, value in options.items() if value is not None and value is not False}


def _for_protocol(
    protocol: str, fit: FitName | None, options: dict[str, object]
) -> dict[str, object]:
    """Leave out the seed where it is for the windows of the fit square alone."""
    if fit == "square" and "seed" not in api.protocol_options(protocol):
        return {name: value for name, value in options.items() if name != "seed"}
    return options


def _refuse_protocol_options(
    protocol: str | None, options: dict[str, object], fit: FitName | None
) -> None:
    """Refuse options that a split file makes meaningless.

    `fold` may choose one of its folds, and `seed` is for the windows of the fit square, too.
    """
    meant = {"fold", "seed"} if fit == "square" else {"fold"}
    given = [name for name in options if name not in meant]
    if protocol is not None:
        given.append("protocol")
    if given:
        option = "--" + given[0].replace("_", "-")
        raise UsageError(f"{option} and --split exclude each other: the file is the split")


def _read_split(path: Path, scan: Scan, fold: int | None) -> Split:
    return api.read_split(_read_input(path), scan.samples, str(path), fold=fold)


def _read_input(path: Path) -> bytes:
    """Read a file, or standard input for ``-``."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise KolektorError(f"{path}: cannot be read: {reason(error)}") from error


def _exit_unless(ok: bool) -> None:
    if not ok:
        raise typer.Exit(1)
