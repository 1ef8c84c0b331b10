"""Measure the tool as whole processes against its goals: ``make bench``.

On the real dataset if KOLEKTORSDD names its zip, else on a synthetic one. What is compared runs in
turn; seconds are medians, and so are ratios, of the pairs of one turn: ratios of processors' time,
which depends less than the clock on what else the machine does. Memory is the largest resident size
of one process. With ``--times N`` (``make bench TIMES=10``) a synthetic dataset of N times the size
is converted and verified, too: 10 takes 1 GB for the images, 4.5 GB for the trees and some minutes.
With ``--own N`` (``make bench OWN=100000``) so are N small images of no dataset: 100000 take 2 GB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from compileall import compile_dir
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeAlias

from rich.console import Console
from rich.progress import track
from rich.table import Table

import kolektor_cli

RUNS = 5
ITEMS = 50
# A process counts the memory of this one from which it was started: nothing large is imported here.
KOLEKTOR = [sys.executable, "-m", "kolektor_cli"]
REFERENCE = [sys.executable, str(Path(__file__).with_name("reference.py"))]
DRAW_OWN = [sys.executable, str(Path(__file__).with_name("draw_own.py"))]
DRAW_MAPS = [sys.executable, str(Path(__file__).with_name("draw_maps.py"))]
# It keeps freed memory, as the tool does (`kolektor_cli.cli.app`).
KEEPING = ["env", f"MALLOC_TRIM_THRESHOLD_={2**28}", f"MALLOC_MMAP_THRESHOLD_={2**23}"]
BARE = [*KEEPING, sys.executable, str(Path(__file__).with_name("bare.py"))]


@dataclass(frozen=True)
class Run:
    """One process: seconds by the clock and of processors, largest resident size in MB."""

    seconds: float
    cpu: float
    megabytes: float


@dataclass(frozen=True)
class Goal:
    """What was measured, what it should be at most, and the unit of both."""

    name: str
    measured: float
    wanted: float
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether the measured figure is as good as it should be."""
        return self.measured <= self.wanted


Commands: TypeAlias = dict[str, Callable[[Path], Sequence[str]]]
"""Commands by name, each made for a path to write to."""
Runs: TypeAlias = dict[str, list[Run]]


def run(command: Sequence[str]) -> Run:
    """Run a command to its end; it must succeed."""
    start = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def in_turn(commands: Commands, work: Path, runs: int = RUNS) -> Runs:
    """Run commands one after the other, several times; each gets a new path to write to."""
    done: Runs = {name: [] for name in commands}
    for _ in track(range(runs), ", ".join(commands), transient=True):
        for name, command in commands.items():
            out = work / "out"
            done[name].append(run(command(out)))
            shutil.rmtree(out, ignore_errors=True)
    return done


def written(command: Sequence[str], out: Path) -> int:
    """Count the bytes that a command writes to `out`."""
    run(command)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    shutil.rmtree(out)
    return size


def seconds(runs: Sequence[Run]) -> float:
    """Return the median of the seconds by the clock."""
    return median(run.seconds for run in runs)


def ratio(runs: Sequence[Run], others: Sequence[Run]) -> float:
    """Return the median of how many times as much processors' time as its other each run took."""
    return median(a.cpu / b.cpu for a, b in zip(runs, others, strict=True))


def memory(runs: Sequence[Run]) -> float:
    """Return the largest resident size, in MB."""
    return max(run.megabytes for run in runs)


def prepare(work: Path) -> tuple[str, Path, Path]:
    """Return a name, the folder and the zip of the dataset to measure on."""
    folder, archive = work / "raw", work / "raw.zip"
    real = os.environ.get("KOLEKTORSDD")
    if real:
        with zipfile.ZipFile(real) as packed:
            packed.extractall(folder)
        return "KolektorSDD", folder, Path(real)
    run([*KOLEKTOR, "sample", str(folder)])
    shutil.make_archive(str(work / "raw"), "zip", folder)
    return "synthetic KolektorSDD", folder, archive


def measure(work: Path, folder: Path, archive: Path) -> tuple[Runs, list[Goal]]:
    """Run every command on the dataset, and compare with the goals."""
    source, gray = str(folder), ("--color", "gray")
    trees = {color: str(work / color) for color in ("rgb", "gray")}
    for color, tree in trees.items():
        run([*KOLEKTOR, "convert", source, tree, "--color", color])
    maps = work / "maps"
    run([*DRAW_MAPS, trees["rgb"], str(maps)])
    conversions: Commands = {
        "reference": lambda out: [*REFERENCE, source, str(out)],
        "convert": lambda out: [*KOLEKTOR, "convert", source, str(out)],
        "convert --color gray": lambda out: [*KOLEKTOR, "convert", source, str(out), *gray],
    }
    runs = in_turn(
        {
            **conversions,
            "bare loop": lambda out: [*BARE, "rgb", source, str(out)],
            "bare loop, gray": lambda out: [*BARE, "gray", source, str(out)],
            "convert, from the zip": lambda out: [*KOLEKTOR, "convert", str(archive), str(out)],
            "inspect": lambda _: [*KOLEKTOR, "inspect", source],
            "verify": lambda _: [*KOLEKTOR, "verify", trees["rgb"]],
            "verify, gray": lambda _: [*KOLEKTOR, "verify", trees["gray"]],
            "score": lambda _: [*KOLEKTOR, "score", trees["rgb"], str(maps)],
            "report": lambda out: [
                *(*KOLEKTOR, "report", trees["rgb"], str(maps)),
                *("-o", str(out.with_suffix(".html")), "--force"),
            ],
            "show": lambda _: [*KOLEKTOR, "show", str(archive), "-o", "-"],
            "--help": lambda _: [*KOLEKTOR, "--help"],
            "--version": lambda _: [*KOLEKTOR, "--version"],
        },
        work,
    )
    out = work / "out"
    size = {name: written(command(out), out) for name, command in conversions.items()}
    reference, rgb, one = (runs[name] for name in conversions)
    return runs, [
        Goal("convert, of the bare loop", ratio(rgb, runs["bare loop"]), 1.12),
        Goal("convert --color gray, likewise", ratio(one, runs["bare loop, gray"]), 1.18),
        Goal("convert from the zip, of convert", ratio(runs["convert, from the zip"], rgb), 1.15),
        Goal("verify, of convert", ratio(runs["verify"], rgb), 0.38),
        Goal("verify, gray, likewise", ratio(runs["verify, gray"], one), 0.35),
        Goal("inspect, of the reference", ratio(runs["inspect"], reference), 0.17),
        Goal("bytes, of the reference", size["convert"] / size["reference"], 0.65),
        Goal("bytes, gray", size["convert --color gray"] / size["reference"], 0.40),
        Goal("--help", seconds(runs["--help"]), 0.25, " s"),
        Goal("--version", seconds(runs["--version"]), 0.12, " s"),
        Goal("score, of processors", median(run.cpu for run in runs["score"]), 3.5, " s"),
        Goal("score: memory", memory(runs["score"]), 450, " MB"),
        Goal("report, with maps", seconds(runs["report"]), 15.0, " s"),
        Goal("report: memory", memory(runs["report"]), 400, " MB"),
        Goal("show", seconds(runs["show"]), 3.0, " s"),
        Goal("show: memory", memory(runs["show"]), 400, " MB"),
        Goal("convert: memory", memory(rgb), 250, " MB"),
        Goal("verify: memory", memory(runs["verify"]), 250, " MB"),
    ]


def measure_large(work: Path, times: int, small: Path) -> tuple[Runs, list[Goal]]:
    """Convert and verify a synthetic dataset of so many times the size, and one of the usual."""
    large = work / "large"
    run([*KOLEKTOR, "sample", str(large), "--items", str(ITEMS * times)])
    runs: Runs = {}
    for name, source in (("synthetic", small), (f"{times} times the size", large)):
        tree = work / "tree"
        runs[f"convert, {name}"] = [run([*KOLEKTOR, "convert", str(source), str(tree)])]
        runs[f"verify, {name}"] = [run([*KOLEKTOR, "verify", str(tree)])]
        shutil.rmtree(tree)
    goals = []
    for verb in ("convert", "verify"):
        done = runs[f"{verb}, {times} times the size"]
        growth = ratio(done, runs[f"{verb}, synthetic"]) / times
        goals.append(Goal(f"{verb}, {times} times the size: time a sample", growth, 1.10))
        goals.append(Goal(f"{verb}, {times} times the size: memory", memory(done), 250, " MB"))
    return runs, goals


def measure_own(work: Path, number: int) -> Runs:
    """Inspect, convert and verify so many small images of no dataset."""
    own, tree = work / "own", work / "tree"
    run([*DRAW_OWN, str(own), str(number)])
    layout = ("--layout", "pairs", "--no-mask", "good")
    commands = {
        "inspect": [*KOLEKTOR, "inspect", str(own), *layout],
        "convert": [*KOLEKTOR, "convert", str(own), str(tree), *layout],
        "verify": [*KOLEKTOR, "verify", str(tree)],
    }
    return {f"{verb}, {number} own images": [run(command)] for verb, command in commands.items()}


def tabulate(title: str, runs: Runs, goals: Sequence[Goal]) -> list[Table]:
    """Set figures beside goals, and below what each command took."""
    compared = Table(title=title, title_justify="left")
    for column in ("", "measured", "goal", "met"):
        compared.add_column(column, justify="right" if column else "left")
    for goal in goals:
        compared.add_row(
            goal.name,
            f"{goal.measured:.2f}{goal.unit}",
            f"<= {goal.wanted:.2f}{goal.unit}",
            "yes" if goal.met else "NO",
        )
    taken = Table(title="what each took (medians)", title_justify="left")
    for column in ("", "seconds", "of processors", "MB of memory"):
        taken.add_column(column, justify="right" if column else "left")
    for name, done in runs.items():
        cpu = median(run.cpu for run in done)
        taken.add_row(name, f"{seconds(done):.2f}", f"{cpu:.2f}", f"{memory(done):.0f}")
    return [compared, taken]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the tool against its goals.")
    parser.add_argument("--times", type=int, default=0, metavar="N", help="and on N times the size")
    parser.add_argument("--own", type=int, default=0, metavar="N", help="and on N own images")
    options = parser.parse_args()
    times = options.times
    # As pip does when it installs: else every process would compile the sources again.
    compile_dir(Path(kolektor_cli.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory(prefix="kolektor-bench-") as place:
        work = Path(place)
        name, folder, archive = prepare(work)
        runs, goals = measure(work, folder, archive)
        if times:
            small = work / "small"
            run([*KOLEKTOR, "sample", str(small)])
            more, further = measure_large(work, times, small)
            runs, goals = runs | more, goals + further
        if options.own:
            runs |= measure_own(work, options.own)
        title = f"{name}, {os.cpu_count()} processors, {RUNS} runs in turn"
        for table in tabulate(title, runs, goals):
            Console(width=100).print(table)


if __name__ == "__main__":
    main()
