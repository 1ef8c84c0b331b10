"""Measure the tool as whole processes against its goals: ``make bench``.

On the real dataset if KOLEKTORSDD names its zip, else on a synthetic one. What is compared runs in
turn; seconds are medians, and so are ratios, of the pairs of one turn. Memory is the largest
resident size of one process. With ``--times N`` (``make bench TIMES=10``) a synthetic dataset of N
times the size is converted, too: 10 takes 1 GB for the images, 4.5 GB for the trees and some
minutes.
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
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeAlias

from rich.console import Console
from rich.progress import track
from rich.table import Table

RUNS = 5
ITEMS = 50
KOLEKTOR = [sys.executable, "-m", "kolektor_cli"]
REFERENCE = [sys.executable, str(Path(__file__).with_name("reference.py"))]


@dataclass(frozen=True)
class Run:
    """One process: seconds by the clock and of processors, largest resident size in MB."""

    seconds: float
    cpu: float
    megabytes: float


@dataclass(frozen=True)
class Goal:
    """What was measured, what it should be at least (or at most), and the unit of both."""

    name: str
    measured: float
    wanted: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the measured figure is as good as it should be."""
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


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
    """Return the median of how many times as long each run took as the other of its turn."""
    return median(a.seconds / b.seconds for a, b in zip(runs, others, strict=True))


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


def convert_commands(source: str) -> Commands:
    """Make the commands that convert a folder, and the reference procedure."""
    gray = ("--color", "gray")
    return {
        "reference": lambda out: [*REFERENCE, source, str(out)],
        "convert": lambda out: [*KOLEKTOR, "convert", source, str(out)],
        "convert --color gray": lambda out: [*KOLEKTOR, "convert", source, str(out), *gray],
    }


def measure(work: Path, folder: Path, archive: Path) -> tuple[Runs, list[Goal]]:
    """Run every command on the dataset, and compare with the goals."""
    tree = str(work / "tree")
    run([*KOLEKTOR, "convert", str(folder), tree])
    conversions = convert_commands(str(folder))
    runs = in_turn(
        {
            **conversions,
            "convert, from the zip": lambda out: [*KOLEKTOR, "convert", str(archive), str(out)],
            "inspect": lambda _: [*KOLEKTOR, "inspect", str(folder)],
            "verify": lambda _: [*KOLEKTOR, "verify", tree],
            "--help": lambda _: [*KOLEKTOR, "--help"],
            "--version": lambda _: [*KOLEKTOR, "--version"],
        },
        work,
    )
    out = work / "out"
    size = {name: written(command(out), out) for name, command in conversions.items()}
    reference, rgb, gray = (runs[name] for name in conversions)
    times = [
        Goal(name, seconds(runs[name]), wanted, " s")
        for name, wanted in (
            *(("inspect", 2.0), ("verify", 2.0)),
            *(("--help", 0.15), ("--version", 0.15)),
        )
    ]
    return runs, [
        Goal("convert: speed, of the reference's", ratio(reference, rgb), 4.0, "x", at_least=True),
        Goal("convert: bytes", size["convert"] / size["reference"], 0.70, "x"),
        Goal("convert --color gray: speed", ratio(reference, gray), 5.5, "x", at_least=True),
        Goal(
            "convert --color gray: bytes",
            size["convert --color gray"] / size["reference"],
            0.40,
            "x",
        ),
        Goal("convert from the zip: time", ratio(runs["convert, from the zip"], rgb), 1.15, "x"),
        *times,
        Goal("convert: memory", memory(rgb), 250, " MB"),
    ]


def measure_large(work: Path, times: int, small: Path) -> tuple[Runs, list[Goal]]:
    """Convert a synthetic dataset of so many times the size, in turn with one of the usual size."""
    large = work / "large"
    run([*KOLEKTOR, "sample", str(large), "--items", str(ITEMS * times)])
    name = f"convert, {times} times the size"
    usual = "convert, synthetic"
    runs = in_turn(
        {
            usual: lambda out: [*KOLEKTOR, "convert", str(small), str(out)],
            "reference, large": lambda out: [*REFERENCE, str(large), str(out)],
            name: lambda out: [*KOLEKTOR, "convert", str(large), str(out)],
        },
        work,
        runs=3,
    )
    speed = ratio(runs["reference, large"], runs[name])
    return runs, [
        Goal(f"{name}: speed", speed, 4.0, "x", at_least=True),
        Goal(f"{name}: time a sample", ratio(runs[name], runs[usual]) / times, 1.10, "x"),
        Goal(f"{name}: memory", memory(runs[name]), 250, " MB"),
    ]


def tabulate(title: str, runs: Runs, goals: Sequence[Goal]) -> list[Table]:
    """Set figures beside goals, and below what each command took."""
    compared = Table(title=title, title_justify="left")
    for column in ("", "measured", "goal", "met"):
        compared.add_column(column, justify="right" if column else "left")
    for goal in goals:
        sign = ">=" if goal.at_least else "<="
        compared.add_row(
            goal.name,
            f"{goal.measured:.2f}{goal.unit}",
            f"{sign} {goal.wanted:.2f}{goal.unit}",
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
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory(prefix="kolektor-bench-") as place:
        work = Path(place)
        name, folder, archive = prepare(work)
        runs, goals = measure(work, folder, archive)
        if times:
            small = work / "small"
            run([*KOLEKTOR, "sample", str(small)])
            more, further = measure_large(work, times, small)
            runs, goals = runs | more, goals + further
        title = f"{name}, {os.cpu_count()} processors, {RUNS} runs in turn"
        for table in tabulate(title, runs, goals):
            Console(width=100).print(table)


if __name__ == "__main__":
    main()
