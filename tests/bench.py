"""Measure the tool as whole processes: ``make bench``.

On the real dataset if KOLEKTORSDD names its zip, else on a synthetic one. What is compared runs in
turn; figures are medians, memory the largest resident size of one process.
"""

from __future__ import annotations

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

from rich.console import Console
from rich.progress import track
from rich.table import Table

RUNS = 5
KOLEKTOR = [sys.executable, "-m", "kolektor_cli"]
REFERENCE = [sys.executable, str(Path(__file__).with_name("reference.py"))]


@dataclass(frozen=True)
class Run:
    """One process: seconds by the clock, and largest resident size in MB."""

    seconds: float
    megabytes: float


def run(command: Sequence[str]) -> Run:
    """Run a command to its end; it must succeed."""
    start = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024)


def in_turn(commands: dict[str, Callable[[Path], Sequence[str]]], work: Path) -> dict[str, Run]:
    """Run commands one after the other, RUNS times; each gets a new path to write to."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in track(range(RUNS), ", ".join(commands), transient=True):
        for name, command in commands.items():
            out = work / "out"
            runs[name].append(run(command(out)))
            shutil.rmtree(out, ignore_errors=True)
    return {
        name: Run(median(r.seconds for r in done), max(r.megabytes for r in done))
        for name, done in runs.items()
    }


def written(command: Sequence[str], out: Path) -> int:
    """Count the bytes that a command writes to `out`."""
    run(command)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    shutil.rmtree(out)
    return size


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


def measure(work: Path) -> Table:
    """Measure everything there is to tell."""
    name, folder, archive = prepare(work)
    source, packed = str(folder), str(archive)
    tree = str(work / "tree")
    run([*KOLEKTOR, "convert", source, tree])
    large = work / "large"
    run([*KOLEKTOR, "sample", str(large), "--items", "500"])
    commands: dict[str, Callable[[Path], Sequence[str]]] = {
        "reference procedure": lambda out: [*REFERENCE, source, str(out)],
        "convert": lambda out: [*KOLEKTOR, "convert", source, str(out)],
        "convert --color gray": lambda out: [
            *KOLEKTOR, "convert", source, str(out), "--color", "gray",
        ],
        "convert, from the zip": lambda out: [*KOLEKTOR, "convert", packed, str(out)],
        "inspect": lambda _: [*KOLEKTOR, "inspect", source],
        "verify": lambda _: [*KOLEKTOR, "verify", tree],
        "--help": lambda _: [*KOLEKTOR, "--help"],
    }  # fmt: skip
    results = in_turn(commands, work)
    out = work / "out"
    bytes_of = {
        label: written(commands[label](out), out)
        for label in ("reference procedure", "convert", "convert --color gray")
    }
    results["convert, 3999 samples"] = run([*KOLEKTOR, "convert", str(large), str(out)])
    return tabulate(name, results, bytes_of)


def tabulate(name: str, results: dict[str, Run], bytes_of: dict[str, int]) -> Table:
    """Set the figures beside those of the reference procedure."""
    table = Table(title=f"{name}, {os.cpu_count()} processors, median of {RUNS} runs")
    for column in ("", "seconds", "speed", "MB of memory", "MB written", "bytes"):
        table.add_column(column, justify="right" if column else "left")
    reference = results["reference procedure"].seconds
    for label, result in results.items():
        compared = label.startswith("convert") and "3999" not in label
        size = bytes_of.get(label)
        table.add_row(
            label,
            f"{result.seconds:.2f}",
            f"{reference / result.seconds:.2f}x" if compared else "",
            f"{result.megabytes:.0f}",
            f"{size / 1e6:.0f}" if size else "",
            f"{size / bytes_of['reference procedure']:.2f}x" if size and compared else "",
        )
    return table


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="kolektor-bench-") as work:
        Console(width=100).print(measure(Path(work)))


if __name__ == "__main__":
    main()
