"""README is true: its commands run and print what it says, its help texts are the real ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kolektor_cli import errors, render
from kolektor_cli.consumers import CONSUMERS
from kolektor_cli.manifest import FORMAT
from kolektor_cli.splitfiles import COLUMNS

MODULES_WITH_FINDINGS = ("copies", "pairing", "masks", "examine", "deviations", "scan")
ROOT = Path(__file__).parent.parent
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
    """Lines without what a reader cannot see."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


def test_commands_print_what_readme_shows(tmp_path: Path) -> None:
    shown = [pair for block in blocks("console") for pair in commands_of(block)]
    assert len(shown) > 10
    for command, output in shown:
        assert stripped(shell(command, tmp_path)) == stripped(output), command


def test_commands_on_the_real_dataset_print_what_readme_shows(real: Path, tmp_path: Path) -> None:
    (tmp_path / "KolektorSDD.zip").symlink_to(real)
    shown = [pair for block in blocks("console real") for pair in commands_of(block)]
    assert len(shown) >= 3
    for command, output in shown:
        assert stripped(shell(command, tmp_path)) == stripped(output), command


def test_table_of_protocols_is_what_convert_plans(real: Path, tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(.*?)`(?: \(.*\))? ((?:\| \d+ ){5})\|$", README, re.MULTILINE)
    assert len(rows) == 11
    for protocol, numbers in rows:
        command = f"kolektor convert {real} data --dry-run --json -q --protocol {protocol}"
        plan = json.loads(shell(command, tmp_path))
        counts = plan["counts"]
        assert [int(number) for number in re.findall(r"\d+", numbers)] == [
            counts["train"]["good"],
            *(counts["test"][label] for label in ("good", "defective")),
            sum(counts["unused"].values()),
            len(plan["leaks"]),
        ], protocol


def test_table_of_fits_is_what_inspect_tells(real: Path, tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(--fit .*?)` ((?:\| \d+ ){3})\|$", README, re.MULTILINE)
    assert len(rows) == 7
    for options, numbers in rows:
        facts = json.loads(shell(f"kolektor inspect {real} --json {options}", tmp_path))
        geometry = facts["geometry"]
        assert [int(number) for number in re.findall(r"\d+", numbers)] == [
            *geometry["images"].values(),
            len(geometry["lost"]),
        ], options


def test_table_of_consumers_is_what_they_need() -> None:
    table = README.partition("| `--for` |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [f"`{name}`" for name in CONSUMERS]
    for row, (name, consumer) in zip(rows, CONSUMERS.items(), strict=True):
        _, code, category, size, color, out, beside = row
        assert code.split()[-1].split(".")[0] in consumer.title
        assert category == (f"`{consumer.category}`" if consumer.category else "any"), name
        assert size.startswith("one for all") == (consumer.one_size and not consumer.sizes)
        assert ("any" in size) == (consumer.size is None)
        for accepted in [consumer.size] if not consumer.sizes else sorted(consumer.sizes):
            assert accepted is None or f"{accepted[0]}x{accepted[1]}" in size
        assert color == ("RGB" if consumer.colors == ("rgb",) else "any")
        assert out == " or ".join(f"`{root}`" for root in consumer.roots)
        assert ("meta.json" in beside) == (consumer.class_name is not None)
        assert (consumer.class_name or "") in beside


def test_python_examples_run(tmp_path: Path) -> None:
    shell("kolektor sample small --items 2", tmp_path)
    codes = [block for block in blocks("python") if "kolektor_cli" in block]
    assert len(codes) == 2
    for code in codes:
        subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize("command", ["inspect", "split", "convert", "verify", "sample"])
def test_help_text_is_the_real_one(command: str) -> None:
    real = shell(f"kolektor {command} --help", ROOT)
    shown = re.search(
        rf"<!-- help {command} -->\n+```text\n(.*?)^```", README, re.DOTALL | re.MULTILINE
    )
    assert shown is not None
    assert stripped(shown[1]) == stripped(real)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)\b[ `]", README)) <= targets


def test_exit_codes_of_all_errors_are_in_the_table() -> None:
    codes = set(re.findall(r"^\| (\d+) \|", README, re.MULTILINE))
    classes: list[type[errors.KolektorError]] = [
        errors.KolektorError,
        *errors.KolektorError.__subclasses__(),
    ]
    assert codes == {"0", "1", "130"} | {str(error.exit_code) for error in classes}


def test_every_finding_that_the_code_makes_is_in_the_table() -> None:
    source = "".join(
        (ROOT / "kolektor_cli" / f"{module}.py").read_text() for module in MODULES_WITH_FINDINGS
    )
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
    for column in render.SCAN_COLUMNS:
        assert f"`{column}`" in formats
