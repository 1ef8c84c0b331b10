"""Fetching: the right file under its name, or what was there before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kolektor_cli.core.fetching import Fetched, fetch
from kolektor_cli.errors import FetchError, OutputError, UsageError
from kolektor_cli.io.staging import staged
from kolektor_cli.raw.archives import ARCHIVES
from tests.conftest import listing, snapshot
from tests.servers import DATA, Server, serving, sha256


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a server that has KolektorSDD: a small one, in the table of archives, too."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as running:
        monkeypatch.setitem(ARCHIVES, "kolektorsdd", running.archive())
        yield running


def test_archive_is_fetched_once(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "new/deep"
    target = folder / "KolektorSDD.zip"
    told: list[tuple[str, int, int]] = []
    fetched = fetch("kolektorsdd", str(folder), progress=lambda *step: told.append(step))
    assert fetched == Fetched(target, len(DATA), sha256(DATA), downloaded=True)
    assert snapshot(tmp_path) == {"new/deep/KolektorSDD.zip": DATA}
    assert told[-1] == ("downloading", len(DATA), len(DATA))
    for force in (False, True):
        again = fetch("kolektorsdd", folder, force=force)
        assert again == Fetched(target, len(DATA), sha256(DATA), downloaded=False)
    assert server.asked == ["/right"]
    assert listing(folder) == ["KolektorSDD.zip"]


def test_another_address_has_the_same_hash(server: Server, tmp_path: Path) -> None:
    assert fetch("kolektorsdd", tmp_path, url=f"{server.address}/moved").downloaded
    assert server.asked == ["/moved", "/right"]
    with pytest.raises(FetchError, match=sha256(DATA)):
        fetch("kolektorsdd", tmp_path / "other", url=f"{server.address}/wrong")
    assert listing(tmp_path) == ["KolektorSDD.zip"]


def test_another_file_of_that_name_stays(server: Server, tmp_path: Path) -> None:
    (tmp_path / "KolektorSDD.zip").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"--force rename it to KolektorSDD\.zip\.old ") as raised:
        fetch("kolektorsdd", tmp_path)
    assert sha256(b"mine") in str(raised.value)
    assert sha256(DATA) in str(raised.value)
    assert server.asked == []
    assert snapshot(tmp_path) == {"KolektorSDD.zip": b"mine"}


@pytest.mark.usefixtures("server")
def test_force_keeps_each_other_file_aside(tmp_path: Path) -> None:
    target = tmp_path / "KolektorSDD.zip"
    for mine in (b"one", b"two", b"three"):
        target.write_bytes(mine)
        fetched = fetch("kolektorsdd", tmp_path, force=True)
        assert fetched.downloaded
        assert fetched.kept is not None
        assert fetched.kept.read_bytes() == mine
    assert snapshot(tmp_path) == {
        "KolektorSDD.zip": DATA,
        "KolektorSDD.zip.old": b"one",
        "KolektorSDD.zip.old2": b"two",
        "KolektorSDD.zip.old3": b"three",
    }


@pytest.mark.parametrize(
    "name", ["wrong", "long", "html", "hidden-html", "login", "cut", "reset", "status/404"]
)
def test_what_fails_leaves_everything_as_it_was(server: Server, name: str, tmp_path: Path) -> None:
    (tmp_path / "KolektorSDD.zip").write_bytes(b"mine")
    for folder in (tmp_path, tmp_path / "new/deep"):
        with pytest.raises(FetchError):
            fetch("kolektorsdd", folder, url=f"{server.address}/{name}", force=True)
    assert snapshot(tmp_path) == {"KolektorSDD.zip": b"mine"}
    assert listing(tmp_path) == ["KolektorSDD.zip"]


def test_what_is_no_file_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "KolektorSDD.zip").mkdir()
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "link").mkdir()
    (tmp_path / "link/KolektorSDD.zip").symlink_to("nowhere")
    for folder, why in (
        (tmp_path, "is not a file"),
        (tmp_path / "link", "is not a file"),
        (tmp_path / "file", "cannot be written"),
    ):
        with pytest.raises(OutputError, match=why):
            fetch("kolektorsdd", folder, force=True)
    assert server.asked == []


def test_one_run_at_a_time_fetches(server: Server, tmp_path: Path) -> None:
    with (
        staged(tmp_path / "KolektorSDD.zip"),
        pytest.raises(OutputError, match="another run is writing it"),
    ):
        fetch("kolektorsdd", tmp_path)
    assert server.asked == []
    assert listing(tmp_path) == []


@pytest.mark.usefixtures("server")
def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".KolektorSDD.zip.unfinished/new"
    left.mkdir(parents=True)
    (left / "KolektorSDD.zip").write_bytes(DATA[:100])
    assert fetch("kolektorsdd", tmp_path).downloaded
    assert snapshot(tmp_path) == {"KolektorSDD.zip": DATA}
    assert listing(tmp_path) == ["KolektorSDD.zip"]


@pytest.mark.usefixtures("server")
def test_file_that_appears_in_the_meantime_stays(tmp_path: Path) -> None:
    def appear(_step: str, _done: int, _total: int) -> None:
        (tmp_path / "KolektorSDD.zip").write_bytes(b"theirs")

    with pytest.raises(OutputError, match="created by another process"):
        fetch("kolektorsdd", tmp_path, progress=appear)
    assert snapshot(tmp_path) == {"KolektorSDD.zip": b"theirs"}


def test_wrong_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="release 'mvtec' is not one of kolektorsdd, "):
        fetch("mvtec", tmp_path)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is not an address"):
        fetch("kolektorsdd", tmp_path, url="mirror/KolektorSDD.zip")
    assert listing(tmp_path) == []
