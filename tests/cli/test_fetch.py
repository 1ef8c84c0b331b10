"""``kolektor fetch``: what it prints to which stream, its exit codes, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolektor_cli.raw.archives import ARCHIVES
from tests.conftest import listing, snapshot
from tests.running import PATIENCE, _heed_interrupts, error_of, run
from tests.servers import DATA, Server, free_port, serving, sha256

SMALL = """
import sys
from dataclasses import replace
from kolektor_cli.raw.archives import ARCHIVES

name, url, size, digest = sys.argv[1:5]
ARCHIVES[name] = replace(ARCHIVES[name], url=url, size=int(size), algorithm="sha256", hash=digest)
del sys.argv[1:5]
from kolektor_cli.__main__ import main

main()
"""
"""Runs the command line with another archive in the table: the real ones are not at hand."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def command(server: Server, *arguments: object, answer: str = "right") -> list[str]:
    """Return the command that fetches the release, a small one on the server."""
    release = next(name for name in ARCHIVES if name in arguments)
    facts = (release, f"{server.address}/{answer}", len(DATA), sha256(DATA))
    return [sys.executable, "-c", SMALL, *map(str, facts), "fetch", *map(str, arguments)]


def fetched(
    server: Server, *arguments: object, answer: str = "right", code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(server, *arguments, answer=answer),
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "no_proxy": "127.0.0.1", "PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_path_goes_to_standard_output_and_the_rest_to_the_other(
    server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "my data"
    target = folder / "KolektorSDD.zip"
    done = fetched(server, "kolektorsdd", folder)
    assert done.stdout == f"{target}\n"
    assert target.read_bytes() == DATA
    *notes, took, then = done.stderr.splitlines()
    assert notes == [
        "licence CC BY-NC-SA 4.0",
        "cite    Tabernik, Šela, Skvarč, Skočaj: Segmentation-Based Deep-Learning Approach for "
        "Surface-Defect Detection, Journal of Intelligent Manufacturing, 2019",
    ]
    assert took.startswith("downloaded KolektorSDD.zip in ")
    assert then == f"next: kolektor inspect '{target}'"
    again = fetched(server, "kolektorsdd", folder)
    assert again.stdout == done.stdout
    assert again.stderr.startswith("there   the file is there already")
    assert fetched(server, "kolektorsdd", folder, "--quiet").stderr == ""


def test_each_release_says_what_to_cite_and_what_comes_next(server: Server, tmp_path: Path) -> None:
    told = fetched(server, "kolektorsdd2", tmp_path).stderr
    assert "Božič, Tabernik, Skočaj: Mixed supervision for surface-defect detection" in told
    assert "Computers in Industry, 2021" in told
    told = fetched(server, "splits", tmp_path).stderr
    assert "Segmentation-Based" in told
    assert "'kolektor convert --split'" in told


def test_json_has_the_facts_of_the_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "KolektorSDD.zip").write_bytes(b"mine")
    done = fetched(server, "kolektorsdd", tmp_path, "--json", "-q", "--force")
    facts = json.loads(done.stdout)
    assert facts["command"] == "fetch"
    assert facts["ok"] is True
    assert facts["path"] == str(tmp_path / "KolektorSDD.zip")
    assert (facts["size"], facts["sha256"]) == (len(DATA), sha256(DATA))
    assert facts["downloaded"] is True
    assert facts["kept"] == str(tmp_path / "KolektorSDD.zip.old")
    assert done.stderr == ""


def test_print_downloads_and_writes_nothing(in_tmp_path: Path) -> None:
    for name, archive in ARCHIVES.items():
        shown = run("fetch", name, "--print")
        facts = (archive.file_name, archive.url, archive.hash, "CC BY-NC-SA 4.0", archive.paper)
        for fact in facts:
            assert fact in shown.stdout
        told = json.loads(run("fetch", name.upper(), "--print", "--json").stdout)
        assert (told["url"], told["size"]) == (archive.url, archive.size)
        assert (told["algorithm"], told["hash"]) == (archive.algorithm, archive.hash)
        assert (told["licence"], told["cite"]) == ("CC BY-NC-SA 4.0", archive.paper)
    mirror = "https://example.org/x.zip"
    assert mirror in run("fetch", "kolektorsdd", "--print", "--url", mirror).stdout
    assert "not an address" in error_of("fetch", "splits", "--print", "--url", "x", code=2)
    assert listing(in_tmp_path) == []


@pytest.mark.parametrize("name", ["html", "login", "status/403", "wrong", "cut"])
def test_refusal_is_one_line_and_leaves_nothing(server: Server, name: str, tmp_path: Path) -> None:
    url = f"{server.address}/{name}"
    error = error_of("fetch", "kolektorsdd", tmp_path / "new", "--url", url, code=3)
    assert error.startswith(f"Error: {url}: ")
    assert listing(tmp_path) == []


def test_no_network_and_wrong_proxies_are_told(tmp_path: Path) -> None:
    for proxy in (f"http://127.0.0.1:{free_port()}", "nonsense"):
        done = run("fetch", "kolektorsdd2", tmp_path, code=3, https_proxy=proxy, HTTPS_PROXY=proxy)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert "proxy cannot be used; set HTTPS_PROXY" in done.stderr
    assert listing(tmp_path) == []


def test_unknown_release_gets_a_suggestion(tmp_path: Path) -> None:
    assert "did you mean kolektorsdd2?" in run("fetch", "kolektor-sdd2", tmp_path, code=2).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_download_leaves_nothing(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    (tmp_path / "KolektorSDD.zip").write_bytes(b"mine")
    with (
        serving() as server,
        subprocess.Popen(
            command(server, "kolektorsdd", tmp_path, "--force", answer="stalls"),
            stderr=subprocess.PIPE,
            env={**os.environ, "no_proxy": "127.0.0.1"},
            preexec_fn=_heed_interrupts,
        ) as process,
    ):
        try:
            assert server.stalled.wait(PATIENCE)
            process.send_signal(number)
            _, error = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == code
    assert b"Traceback" not in error
    assert snapshot(tmp_path) == {"KolektorSDD.zip": b"mine"}
    assert listing(tmp_path) == ["KolektorSDD.zip"]


def test_limit_on_the_size_of_files_is_told(server: Server, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a system with limits")
    done = subprocess.run(
        command(server, "kolektorsdd", tmp_path / "new"),
        capture_output=True,
        text=True,
        env={**os.environ, "no_proxy": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, 2**18)),
        check=False,
    )
    assert done.returncode == 3
    assert "KolektorSDD.zip: cannot be written: File too large; raise the limit" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("source", "release"),
    [
        ("kolektorsdd", "kolektorsdd"),
        ("KolektorSDD.zip", "kolektorsdd"),
        ("KOLEKTORSDD2.ZIP", "kolektorsdd2"),
        ("kolektorsdd2", "kolektorsdd2"),
        ("KolektorSDD-boxes.zip", "kolektorsdd-boxes"),
    ],
)
def test_missing_source_called_like_a_release_is_not_fetched_but_told(
    source: str, release: str, in_tmp_path: Path
) -> None:
    for arguments in (("inspect", source), ("convert", source, "data")):
        error = error_of(*arguments, code=3)
        hint = f"no such file or folder; 'kolektor fetch {release}' downloads it"
        assert error == f"Error: {source}: {hint}"
    assert "fetch" not in error_of("inspect", "KolektorSDD3.zip", code=3)
    assert listing(in_tmp_path) == []
