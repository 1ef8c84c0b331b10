"""Conversion by other processes: the same bytes, also when one of them dies."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.verification import verify
from kolektor_cli.errors import KolektorError, SourceError, UsageError
from kolektor_cli.io.parallel import dask_cluster
from kolektor_cli.io.source import _open_again, open_source
from kolektor_cli.raw.layout_options import LayoutOptions
from tests import pipeline
from tests.conftest import MakeDataset, snapshot
from tests.own import write_own
from tests.running import run

# What Dask and its dependencies have to say of themselves is not about us.
pytestmark = pytest.mark.filterwarnings("ignore")

SIZE = (250, 620)
OPTIONS = ConvertOptions(size=SIZE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Hold a scheduler and two worker processes."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def local(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold what a local run makes of 24 samples."""
    out = tmp_path_factory.mktemp("local")
    return convert(synthetic, out, OPTIONS).target


def test_cluster_gives_the_bytes_of_a_local_run(
    cluster: LocalCluster, synthetic: Path, local: Path, tmp_path: Path
) -> None:
    address = ("--dask", cluster.scheduler_address)
    shown = run("convert", synthetic, tmp_path / "out", "--size", "250x620", *address)
    assert "distributed" not in shown.stderr
    assert snapshot(tmp_path / "out/metal") == snapshot(local)


def test_cluster_reads_a_zip_at_a_relative_path(
    cluster: LocalCluster, synthetic: Path, local: Path, in_tmp_path: Path
) -> None:
    with zipfile.ZipFile("raw.zip", "w") as archive:
        for path in sorted(synthetic.rglob("*.*")):
            archive.write(path, path.relative_to(synthetic))
    convert("raw.zip", "out", OPTIONS, dask=cluster.scheduler_address)
    assert snapshot(in_tmp_path / "out/metal") == snapshot(local)


def test_worker_killed_in_the_middle_changes_nothing(
    cluster: LocalCluster, synthetic: Path, local: Path, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_one(step: str, done: int, _: int) -> None:
        if (step, done) == ("converting", 5):
            with Client(cluster.scheduler_address, set_as_default=False) as client:
                process = next(iter(client.run(os.getpid).values()))
            os.kill(process, signal.SIGKILL)
            killed.append(process)

    convert(
        *(synthetic, tmp_path / "out", OPTIONS),
        dask=cluster.scheduler_address,
        progress=kill_one,
    )
    assert killed
    assert snapshot(tmp_path / "out/metal") == snapshot(local)
    assert verify(tmp_path / "out").ok


def test_file_that_changes_meanwhile_is_named_and_nothing_is_left(
    cluster: LocalCluster, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    root = make_dataset()

    def damage(step: str, done: int, _: int) -> None:
        if (step, done) == ("converting", 1):
            for path in root.glob("kos03/*.jpg"):
                path.write_bytes(b"damaged")

    with pytest.raises(SourceError, match=r"kos03/Part\d\.jpg: is not a JPEG"):
        convert(root, tmp_path / "out", dask=cluster.scheduler_address, progress=damage)
    assert not (tmp_path / "out").exists()


def test_cluster_scans_and_writes_and_this_process_does_not(
    cluster: LocalCluster, synthetic: Path, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kolektor_cli.raw.reading.decode_stored", _refuse)
        patch.setattr("kolektor_cli.tree.write.read_image", _refuse)
        convert(
            *(synthetic, tmp_path / "out", OPTIONS),
            dask=cluster.scheduler_address,
            progress=lambda *step: told.append(step),
        )
    assert [done for step, done, _ in told if step == "converting"][:24] == [*range(1, 25)]
    assert verify(tmp_path / "out", source=synthetic).ok


def _refuse(*_: object) -> None:
    raise AssertionError


def test_people_s_own_images_are_converted_by_a_cluster(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    for number in range(12):
        mask = root / f"masks/{number}.png" if number % 4 == 0 else None
        write_own(root / f"images/{number}.jpg", number, mask, (5, 5, 9, 9))
    options = ConvertOptions(layout=LayoutOptions("pairs", no_mask="good"))
    local = convert(root, tmp_path / "local", options)
    far = convert(root, tmp_path / "far", options, dask=cluster.scheduler_address)
    assert snapshot(far.target) == snapshot(local.target)


def test_any_executor_does(synthetic: Path, local: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        pipeline.convert(synthetic, tmp_path / "out", size=SIZE, jobs=2, executor=executor)
        assert executor.submit(abs, -1).result() == 1  # it is left open
    assert snapshot(tmp_path / "out/metal") == snapshot(local)


def test_source_is_opened_once_in_a_process_for_all_tasks(make_dataset: MakeDataset) -> None:
    root = make_dataset()
    with open_source(root) as source:
        before = _open_again.cache_info().misses
        for name in ("kos01/Part0.jpg", "kos02/Part3.jpg"):
            elsewhere = pickle.loads(pickle.dumps(source))
            assert elsewhere.path == root
            assert elsewhere.read(name) == (root / name).read_bytes()
        assert _open_again.cache_info().misses == before + 1


def test_zip_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    place = tmp_path / "raw.zip"
    for content in (b"first", b"second"):
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("kos01/Part0.jpg", content)
        with open_source(place) as source:
            assert pickle.loads(pickle.dumps(source)).read("kos01/Part0.jpg") == content
    _open_again.cache_clear()


def test_no_scheduler_at_the_address_is_an_error(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolektor_cli.io.parallel._PATIENCE", 1)
    with pytest.raises(KolektorError, match="no Dask scheduler answers"):
        convert(make_dataset(), tmp_path / "out", dask="tcp://127.0.0.1:9")
    assert not (tmp_path / "out").exists()


def test_plan_alone_needs_no_cluster(make_dataset: MakeDataset, tmp_path: Path) -> None:
    address = ("--dask", "tcp://127.0.0.1:9")
    shown = run("convert", make_dataset(), tmp_path / "out", "--dry-run", *address)
    assert "nothing was written" in shown.stdout


def test_cluster_without_workers_is_an_error() -> None:
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as empty,
        pytest.raises(KolektorError, match="has no worker"),
        dask_cluster(empty.scheduler_address),
    ):
        pass


def test_dask_that_is_not_installed_is_a_wrong_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(UsageError, match=r"pip install 'kolektor-cli\[dask\]'"),
        dask_cluster("tcp://127.0.0.1:8786"),
    ):
        pass
