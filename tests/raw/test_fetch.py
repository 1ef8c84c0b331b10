"""Downloading: what a server may do, against a real one on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kolektor_cli.errors import FetchError, UsageError
from kolektor_cli.raw.archives import ARCHIVES, Archive
from kolektor_cli.raw.fetch import FileFacts, check_address, download
from tests.servers import DATA, WRONG, Server, free_port, serving, sha256


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def got(archive: Archive, path: Path, url: str = "", timeout: float = 10) -> FileFacts:
    return download(
        archive, url or archive.url, path, progress=lambda _done, _total: None, timeout=timeout
    )


def refusal(server: Server, name: str, path: Path, timeout: float = 10) -> str:
    """Return what is said of an answer that is refused, after the address."""
    archive = server.archive(name)
    with pytest.raises(FetchError) as raised:
        got(archive, path, timeout=timeout)
    told = str(raised.value)
    assert told.startswith(f"{archive.url}: ")
    assert "\n" not in told
    return told.removeprefix(f"{archive.url}: ")


def test_archives_are_those_that_the_authors_offer() -> None:
    facts = {
        name: (archive.file_name, archive.url, archive.algorithm, archive.hash, archive.size)
        for name, archive in ARCHIVES.items()
    }
    assert facts == {
        "kolektorsdd": (
            "KolektorSDD.zip",
            "https://go.vicos.si/kolektorsdd",
            "sha256",
            "65dc621693418585de9c4467d1340ea7958a6181816f0dc2883a1e8b61f9d4dc",
            101831129,
        ),
        "kolektorsdd-boxes": (
            "KolektorSDD-boxes.zip",
            "https://go.vicos.si/kolektorsddboxes",
            "md5",
            "4e559e7c4be5ab5001db8243c1b125df",
            None,
        ),
        "kolektorsdd2": (
            "KolektorSDD2.zip",
            "https://go.vicos.si/kolektorsdd2",
            "sha256",
            "edcdb486809b24f1d17b785e30c52fafc5999554dd5fe18ddf77b61ceb6f36a8",
            853126555,
        ),
        "splits": (
            "KolektorSDD-training-splits.zip",
            "https://data.vicos.si/datasets/KSDD/KolektorSDD-training-splits.zip",
            "sha256",
            "8ec637bf01be6d97254d9885abea9e5f32eda0387ebc356be24ab6bc0c3b0db2",
            None,
        ),
    }


@pytest.mark.parametrize("name", ["right", "unsized", "moved"])
def test_right_bytes_are_written_and_told(server: Server, name: str, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    archive = server.archive(name)
    facts = download(
        archive, archive.url, tmp_path / "new", progress=lambda *step: told.append(step)
    )
    assert (tmp_path / "new").read_bytes() == DATA
    assert facts == FileFacts(len(DATA), sha256(DATA), sha256(DATA))
    assert told[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) > 2


def test_archive_of_unknown_size_is_known_by_its_md5(server: Server, tmp_path: Path) -> None:
    md5 = hashlib.md5(DATA).hexdigest()
    archive = replace(server.archive("unsized"), algorithm="md5", hash=md5, size=None)
    assert got(archive, tmp_path / "new") == FileFacts(len(DATA), sha256(DATA), md5)
    with pytest.raises(FetchError, match=f"the MD5 {hashlib.md5(WRONG).hexdigest()} .* {md5}"):
        got(archive, tmp_path / "other", f"{server.address}/wrong")


def test_wrong_bytes_are_told_by_both_hashes(server: Server, tmp_path: Path) -> None:
    told = refusal(server, "wrong", tmp_path / "new")
    assert f"has the SHA-256 {sha256(WRONG)} and {len(DATA)} bytes" in told
    assert f"expected {sha256(DATA)} of {len(DATA)} bytes" in told
    assert sha256(DATA[:1000]) in refusal(server, "short", tmp_path / "short")
    assert sha256(DATA + b"more") in refusal(server, "long", tmp_path / "long")
    assert "0 bytes" in refusal(server, "empty", tmp_path / "empty")


@pytest.mark.parametrize("name", ["huge", "endless"])
def test_end_of_many_more_bytes_is_not_awaited(server: Server, name: str, tmp_path: Path) -> None:
    told = refusal(server, name, tmp_path / "new")
    assert f"bytes or more; expected {len(DATA)}; nothing is kept" in told
    assert (tmp_path / "new").stat().st_size <= 2 * len(DATA)


@pytest.mark.parametrize("name", ["html", "hidden-html"])
def test_web_page_is_no_archive(server: Server, name: str, tmp_path: Path) -> None:
    told = refusal(server, name, tmp_path / "new")
    assert told.startswith("gives a web page, not KolektorSDD.zip; it may ask to log in")
    assert (tmp_path / "new").read_bytes() == b""


def test_redirect_to_a_web_page_is_named(server: Server, tmp_path: Path) -> None:
    told = refusal(server, "login", tmp_path / "new")
    assert f"gives a web page at {server.address}/html, not" in told


@pytest.mark.parametrize("name", ["circle", "elsewhere"])
def test_redirect_that_leads_nowhere_is_told(server: Server, name: str, tmp_path: Path) -> None:
    expected = {"circle": "redirects without an end", "elsewhere": "redirects to an address that"}
    assert expected[name] in refusal(server, name, tmp_path / "new")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (401, "the server refuses (401 Unauthorized); it may ask to log in"),
        (403, "the server refuses (403 Forbidden); it may ask to log in"),
        (404, "there is no such file (404 Not Found); look for it on https://www.vicos.si/"),
        (410, "there is no such file (410 Gone)"),
        (429, "the server cannot answer now (429 Too Many Requests); try again later"),
        (500, "the server cannot answer now (500 Internal Server Error); try again later"),
        (503, "the server cannot answer now (503 Service Unavailable); try again later"),
    ],
)
def test_status_is_told_in_words(server: Server, code: int, expected: str, tmp_path: Path) -> None:
    assert refusal(server, f"status/{code}", tmp_path / "new").startswith(expected)


def test_connection_that_is_cut_is_told_with_its_place(server: Server, tmp_path: Path) -> None:
    told = refusal(server, "cut", tmp_path / "cut")
    assert told.startswith("the connection was cut after ")
    assert f" of {len(DATA)} bytes; nothing is kept; try again" in told
    for name in ("cut-chunked", "reset"):
        told = refusal(server, name, tmp_path / name)
        assert told.startswith("the connection was cut after "), told


@pytest.mark.parametrize("name", ["hangs", "stalls"])
def test_server_that_is_silent_is_given_up(server: Server, name: str, tmp_path: Path) -> None:
    told = refusal(server, name, tmp_path / "new", timeout=0.2)
    assert told == "there was no answer for 0.2 seconds; try again later"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:{port}/x", "the server refuses the connection"),
        ("http://no-such-host.invalid/x", "name cannot be resolved"),
        ("https://127.0.0.1:{server}/right", "connection cannot be encrypted"),
        ("http://.example/x", "address"),
        ("http://" + "a" * 70 + ".example/x", "address"),
    ],
)
def test_server_that_cannot_be_reached_is_told(
    server: Server, url: str, expected: str, tmp_path: Path
) -> None:
    url = url.format(port=free_port(), server=server.server_address[1])
    with pytest.raises(FetchError, match=expected) as raised:
        got(server.archive(), tmp_path / "new", url)
    assert str(raised.value).startswith(f"{url}: ")


@pytest.mark.parametrize(
    "proxy", ["http://127.0.0.1:{port}", "http://", "nonsense://x:1", "socks5://127.0.0.1:1", ":::"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_does_not_work_is_told(
    server: Server, proxy: str, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", proxy.format(port=free_port()))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(FetchError, match="proxy") as raised:
        got(server.archive(), tmp_path / "new", f"{scheme}://example.invalid/x")
    assert "HTTPS_PROXY" in str(raised.value)


def test_missing_file_of_certificates_is_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere"))
    with pytest.raises(FetchError, match=r"CA certificate bundle.*nowhere"):
        got(server.archive(), tmp_path / "new", "https://127.0.0.1/x")


def test_head_that_makes_no_sense_is_told(server: Server, tmp_path: Path) -> None:
    assert "cannot be downloaded" in refusal(server, "nonsense-length", tmp_path / "a")
    assert got(server.archive("packed"), tmp_path / "b").sha256 == sha256(DATA)


def test_password_in_an_address_is_not_shown(server: Server, tmp_path: Path) -> None:
    url = f"http://me:secret@127.0.0.1:{server.server_address[1]}/status/403"
    with pytest.raises(FetchError) as raised:
        got(server.archive(), tmp_path / "new", url)
    assert "secret" not in str(raised.value)
    assert f"{server.address}/status/403" in str(raised.value)


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "KolektorSDD.zip", "http://", "http://x:no/", "http://[/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not an address that starts with http"):
        check_address(url)
    assert check_address("https://example.org/KolektorSDD.zip").endswith(".zip")
