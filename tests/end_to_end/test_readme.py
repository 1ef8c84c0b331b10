"""README and the guides are true: commands print what they say, tables are those of the code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from itertools import groupby
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
from kolektor_cli.version import __version__
from tests.documents import DOCUMENTS, GUIDES, ROOT, TRANSLATION, blocks, shell_lines, with_blocks
from tests.running import SMALL, run
from tests.samples import count_samples

README = DOCUMENTS["README.md"]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "LC_ALL": "C.UTF-8",
    "COLUMNS": "80",
}


def commands_of(block: str) -> list[tuple[str, str]]:
    """Split a console block into commands and the output that follows each."""
    parts = re.split(r"^\$ (.*\n(?:> .*\n)*)", block, flags=re.MULTILINE)
    commands = [re.sub(r"^> ", "", part, flags=re.MULTILINE) for part in parts[1::2]]
    return list(zip(commands, parts[2::2], strict=True))


def console(name: str, kind: str) -> list[tuple[str, str]]:
    """Find the commands of a document's console blocks, and their outputs."""
    return [pair for block in blocks(DOCUMENTS[name], kind) for pair in commands_of(block)]


def check_console(name: str, kind: str, folder: Path) -> None:
    """Run the commands of a document one after another."""
    for command, output in console(name, kind):
        found, told = stripped(shell(command, folder)), stripped(output)
        if kind == "console":
            # Synthetic images are drawn by OpenCV, whose versions differ in the last bits.
            found, told = (list(map(without_hashes, lines)) for lines in (found, told))
        assert found == told, command


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


def without_hashes(line: str) -> str:
    return re.sub(r"\b[0-9a-f]{64}\b", "HASH", line)


def stripped(text: str) -> list[str]:
    """Lines without what a reader cannot see, and without the time that a command took."""
    lines = [line.rstrip() for line in text.rstrip().splitlines()]
    return [re.sub(r"(?<= in )(\d+ min )?\d+(\.\d)? s$", "a moment", line) for line in lines]


def table_rows(text: str, header: str) -> list[list[str]]:
    """Read the cells of a table without its header."""
    table = text.partition(header)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]


@pytest.mark.long
@pytest.mark.parametrize("name", with_blocks("console"))
def test_commands_print_what_a_document_shows(name: str, tmp_path: Path) -> None:
    check_console(name, "console", tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", with_blocks("console real"))
def test_commands_on_the_real_dataset_print_what_a_document_shows(
    name: str, real: Path, tmp_path: Path
) -> None:
    (tmp_path / "KolektorSDD.zip").symlink_to(real)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    check_console(name, "console real", tmp_path)


def test_documents_show_commands_with_their_output() -> None:
    for kind, least in [("console", 18), ("console real", 13)]:
        assert sum(len(console(name, kind)) for name in with_blocks(kind)) >= least
    # Each file of the real tree is derived again here, and nowhere else in the tests.
    shown = [command for command, _ in console("README.md", "console real")]
    assert any(command.startswith("kolektor verify data --source") for command in shown)


def given_to_kolektor(line: str) -> list[list[str]]:
    """Find what a line to be typed gives to kolektor; with a pipe, to each of them."""
    words = shlex.split(line, comments=True)
    parts = [
        list(part) for end, part in groupby(words, key={"|", ">", ";"}.__contains__) if not end
    ]
    return [part[1:] for part in parts if part[0] == "kolektor"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_of_a_document_are_understood(name: str) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for line in shell_lines(DOCUMENTS[name]):
        for command, *arguments in given_to_kolektor(line):
            assert group.commands[command].make_context(command, arguments), line


def given(command: str, options: str) -> dict[str, Any]:
    """Read options as the command line does."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group.commands[command].make_context(command, ["source", *options.split()]).params


def test_table_of_protocols_is_how_the_real_dataset_is_split(real_scan: Scan) -> None:
    rows = re.findall(
        r"^\| `(.*?)`(?: \(.*\))? ((?:\| \d+ ){5})\|$", DOCUMENTS["protocols.md"], re.MULTILINE
    )
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
    rows = re.findall(
        r"^\| `(--fit .*?)` ((?:\| \d+ ){3})\|$", DOCUMENTS["geometry.md"], re.MULTILINE
    )
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
    rows = table_rows(DOCUMENTS["consumers.md"], "| `--for` |")
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


@pytest.mark.parametrize(
    "command",
    [
        *("fetch", "inspect", "split", "convert", "verify", "compare", "train"),
        *("score", "show", "report", "export", "sample"),
        "docs",
    ],
)
def test_help_text_is_the_real_one(command: str) -> None:
    real = run(command, "--help", COLUMNS="80").stdout
    shown = re.search(
        rf"<!-- help {command} -->\n+```text\n(.*?)^```",
        DOCUMENTS["commands.md"],
        re.DOTALL | re.MULTILINE,
    )
    assert shown is not None
    assert stripped(shown[1]) == stripped(real)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_knows_every_target_that_the_documents_name() -> None:
    text = "\n".join(DOCUMENTS.values())
    targets = set(re.findall(r"(?:^|[`;]|=\S+ )make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= targets
    for target in (*targets, "nonsense"):
        tried = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (tried.returncode == 0) == (target != "nonsense"), tried.stderr


def test_exit_codes_of_all_errors_are_in_the_table() -> None:
    codes = set(re.findall(r"^\| (\d+) \|", DOCUMENTS["reliability.md"], re.MULTILINE))
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
    table = DOCUMENTS["findings.md"].partition("| code |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    told = {code for cell in cells for code in cell.split("`")[1::2]}
    assert told == made


def test_every_check_is_in_the_table(tmp_path: Path) -> None:
    source = tmp_path / "KolektorSDD"
    run("sample", source, "--items", 2)
    run("convert", source, tmp_path / "out", "--for", "musc", *SMALL)
    shown = run("verify", tmp_path / "out", "--source", source, "--for", "musc", "--json")
    [category] = json.loads(shown.stdout)["categories"]
    assert table_rows(DOCUMENTS["findings.md"], "| check |") == [
        [f"`{check['name']}`", check["description"]] for check in category["checks"]
    ]


def test_formats_are_those_that_the_code_writes() -> None:
    formats = DOCUMENTS["formats.md"]
    assert f"`{','.join(COLUMNS)}`" in formats
    assert f"is of format {FORMAT}" in formats
    for column in SCAN_COLUMNS:
        assert f"`{column}`" in formats


# README itself


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_readme_lists_the_codes_of_the_guide() -> None:
    short = table_rows(README, "| `--for` | code ")
    # The last row is half empty if their number is odd.
    listed = [row[:2] for row in short] + [row[2:] for row in short if row[2]]
    whole = table_rows(DOCUMENTS["consumers.md"], "| `--for` | code ")
    assert listed == [row[:2] for row in whole]


def test_readme_says_which_protocol_as_the_guide_does() -> None:
    header = "| for | use |"
    assert table_rows(README, header) == table_rows(DOCUMENTS["protocols.md"], header) != []


def test_exit_codes_of_readme_are_those_of_the_guide() -> None:
    section = README.partition("## Exit codes")[2].partition("```")[0]
    codes = re.findall(r"^\| (\d+) \|", DOCUMENTS["reliability.md"], re.MULTILINE)
    assert re.findall(r"(\d+):", section) == codes


def test_example_of_a_citation_has_this_version() -> None:
    assert f"kolektor-cli {__version__} " in README


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"(?s)^```.*?^```$", id="code"),
        pytest.param(r"^    data/\S+", id="files that come out"),
        pytest.param(r"^\| `[a-z].*\|$", id="codes of --for"),
        pytest.param(r"`--[^`]*`", id="options"),
        pytest.param(r"(?<![\w.])\d+(?:\.\d+)*(?!\w)", id="numbers"),
        pytest.param(r"(?<=[/(])[a-z-]+\.md(?=\))", id="links"),
    ],
)
def test_translation_has_what_readme_has(pattern: str) -> None:
    texts = (README, TRANSLATION.read_text(encoding="utf-8"))
    # Sentences may come in another order: in ASCII \w leaves out Chinese letters beside a number.
    both = [sorted(re.findall(pattern, text, re.ASCII | re.MULTILINE)) for text in texts]
    assert both[0] == both[1] != []


@pytest.mark.parametrize("path", [ROOT / "README.md", *GUIDES.glob("*.md")], ids=lambda p: p.name)
def test_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)(.*?)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).is_file(), target
