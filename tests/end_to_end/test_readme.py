"""README is true: its commands run and print what it says, its help texts are the real ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from kolektor_cli.cli.app import app
from kolektor_cli.cli.options import parse_size
from kolektor_cli.cli.render.inspection import SCAN_COLUMNS
from kolektor_cli.consumers.catalogue import CONSUMERS
from kolektor_cli.core.splitting import split_scan
from kolektor_cli.errors import KolektorError
from kolektor_cli.io.source import open_source
from kolektor_cli.raw.scan import Scan
from kolektor_cli.splits.files import COLUMNS
from kolektor_cli.splits.split import SplitOptions, find_leaks
from kolektor_cli.tree.defects import summarise_fit
from kolektor_cli.tree.fit import make_fit
from kolektor_cli.tree.manifest import FORMAT
from kolektor_cli.tree.views import view_samples
from tests.running import run
from tests.samples import count_samples

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "LC_ALL": "C.UTF-8",
    "COLUMNS": "80",
}


def blocks(kind: str) -> list[str]:
    """Find the code blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands_of(block: str) -> list[tuple[str, str]]:
    """Split a console block into commands and the output that follows each."""
    parts = re.split(r"^\$ (.*\n(?:> .*\n)*)", block, flags=re.MULTILINE)
    commands = [re.sub(r"^> ", "", part, flags=re.MULTILINE) for part in parts[1::2]]
    return list(zip(commands, parts[2::2], strict=True))


def shell(command: str, folder: Path) -> str:
    """Run a command as a person would; both streams, as they come."""
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return result.stdout


def stripped(text: str) -> list[str]:
    """Lines without what a reader cannot see, and without the time that a command took."""
    lines = [line.rstrip() for line in text.rstrip().splitlines()]
    return [re.sub(r"(?<= in )(\d+ min )?\d+(\.\d)? s$", "a moment", line) for line in lines]


@pytest.mark.long
def test_commands_print_what_readme_shows(tmp_path: Path) -> None:
    shown = [pair for block in blocks("console") for pair in commands_of(block)]
    assert len(shown) > 10
    for command, output in shown:
        assert stripped(shell(command, tmp_path)) == stripped(output), command


@pytest.mark.long
def test_commands_on_the_real_dataset_print_what_readme_shows(real: Path, tmp_path: Path) -> None:
    (tmp_path / "KolektorSDD.zip").symlink_to(real)
    shown = [pair for block in blocks("console real") for pair in commands_of(block)]
    assert len(shown) >= 3
    # Each file of the real tree is derived again here, and nowhere else in the tests.
    assert any(command.startswith("kolektor verify data --source") for command, _ in shown)
    for command, output in shown:
        assert stripped(shell(command, tmp_path)) == stripped(output), command


def given(command: str, options: str) -> dict[str, Any]:
    """Read options as the command line does."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group.commands[command].make_context(command, ["source", *options.split()]).params


def test_table_of_protocols_is_how_the_real_dataset_is_split(real_scan: Scan) -> None:
    rows = re.findall(r"^\| `(.*?)`(?: \(.*\))? ((?:\| \d+ ){5})\|$", README, re.MULTILINE)
    assert len(rows) == 11
    for protocol, numbers in rows:
        options = given("split", f"--protocol {protocol}")
        of_split = {field.name for field in fields(SplitOptions)} & options.keys()
        chosen = SplitOptions(**{name: options[name] for name in of_split})
        split = split_scan(real_scan, chosen, "balanced")
        counts = count_samples(split, real_scan.samples)
        assert [int(number) for number in re.findall(r"\d+", numbers)] == [
            counts["train", "good"],
            *(counts["test", "good"], counts["test", "defective"]),
            counts["unused", "good"] + counts["unused", "defective"],
            len(find_leaks(split.assigned, real_scan.duplicates)),
        ], protocol


def test_table_of_fits_is_what_they_make_of_the_real_dataset(real: Path, real_scan: Scan) -> None:
    rows = re.findall(r"^\| `(--fit .*?)` ((?:\| \d+ ){3})\|$", README, re.MULTILINE)
    assert len(rows) == 7
    with open_source(real) as source:
        for row, numbers in rows:
            options = given("inspect", row)
            fit = make_fit(options["fit"], parse_size(options["size"]), default=(500, 1240))
            views = view_samples(fit, source, real_scan.samples)
            summary = summarise_fit(views, source, real_scan.samples)
            assert [int(number) for number in re.findall(r"\d+", numbers)] == [
                summary.good,
                summary.defective,
                len(summary.lost),
            ], row


def test_table_of_consumers_is_what_they_need() -> None:
    table = README.partition("| `--for` |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [f"`{name}`" for name in CONSUMERS]
    for row, (name, consumer) in zip(rows, CONSUMERS.items(), strict=True):
        _, code, category, size, fit, color, out, beside = row
        assert code.split()[-1].split(".")[0] in consumer.title
        assert category == (f"`{consumer.category}`" if consumer.category else "any"), name
        assert size.startswith("one for all") == (consumer.one_size and not consumer.sizes)
        assert ("any" in size) == (consumer.size is None)
        for accepted in [consumer.size] if not consumer.sizes else sorted(consumer.sizes):
            assert accepted is None or f"{accepted[0]}x{accepted[1]}" in size
        assert fit == f"`{consumer.fit}`"
        assert color == ("RGB" if consumer.colors == ("rgb",) else "any")
        assert out == " or ".join(f"`{root}`" for root in consumer.roots)
        classes = {None: [], "": ["the category"]}
        assert re.findall(r"^`meta\.json`, class:? (.+)", beside) == classes.get(
            consumer.class_name, [f"`{consumer.class_name}`"]
        )


def test_python_examples_run(tmp_path: Path) -> None:
    run("sample", tmp_path / "small", "--items", 2)
    codes = [block for block in blocks("python") if "kolektor_cli" in block]
    assert len(codes) == 2
    for code in codes:
        subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    "command",
    [
        *("fetch", "inspect", "split", "convert", "verify", "train"),
        *("score", "show", "report", "export", "sample"),
        "docs",
    ],
)
def test_help_text_is_the_real_one(command: str) -> None:
    real = run(command, "--help", COLUMNS="80").stdout
    shown = re.search(
        rf"<!-- help {command} -->\n+```text\n(.*?)^```", README, re.DOTALL | re.MULTILINE
    )
    assert shown is not None
    assert stripped(shown[1]) == stripped(real)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_knows_every_target_that_readme_names() -> None:
    targets = set(re.findall(r"(?:^|[`;]|=\S+ )make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= targets
    for target in (*targets, "nonsense"):
        tried = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (tried.returncode == 0) == (target != "nonsense"), tried.stderr


def test_exit_codes_of_all_errors_are_in_the_table() -> None:
    codes = set(re.findall(r"^\| (\d+) \|", README, re.MULTILINE))
    classes: list[type[KolektorError]] = [
        KolektorError,
        *KolektorError.__subclasses__(),
    ]
    assert codes == {"0", "1", "130"} | {str(error.exit_code) for error in classes}


def test_every_finding_that_the_code_makes_is_in_the_table() -> None:
    modules = (ROOT / "kolektor_cli/raw").glob("*.py")
    source = "".join(module.read_text(encoding="utf-8") for module in modules)
    severities = '(?:"error"|"warning"|"info"|severity)'
    made = set(re.findall(rf'Finding\(\s*{severities},\s*"([a-z-]+)"', source))
    table = README.partition("## What inspect finds")[2].partition("## Formats")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    told = {code for cell in cells for code in cell.split("`")[1::2]}
    assert told == made


def test_formats_are_those_that_the_code_writes() -> None:
    formats = README.partition("## Formats")[2].partition("## Exit codes")[0]
    assert f"`{','.join(COLUMNS)}`" in formats
    assert f"is of format {FORMAT}" in formats
    for column in SCAN_COLUMNS:
        assert f"`{column}`" in formats
