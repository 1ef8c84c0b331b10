"""``kolektor show``: files, standard output, and exit codes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from kolektor_cli.core.show_plan import ShowOptions
from kolektor_cli.core.showing import show
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.tree.dataset import load_tree
from tests.running import KOLEKTOR, error_of, run


def test_picture_is_written_and_its_path_printed(raw: Path, in_tmp_path: Path) -> None:
    shown = run("show", raw, "-q")
    assert shown.stdout == "show.png\n"
    assert shown.stderr == ""
    assert (in_tmp_path / "show.png").read_bytes() == show(raw).encoded()


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_suffix_chooses_the_format_and_threads_change_nothing(
    raw: Path, in_tmp_path: Path, suffix: str
) -> None:
    for jobs in (1, 4):
        run("show", raw, "-o", f"{jobs}{suffix}", "-j", jobs)
    first, second = ((in_tmp_path / f"{jobs}{suffix}").read_bytes() for jobs in (1, 4))
    assert first == second == show(raw).encoded(suffix)


def test_dash_writes_a_png_to_standard_output(raw: Path, in_tmp_path: Path) -> None:
    command = [*KOLEKTOR, "show", str(raw), "-q", "-o", "-"]
    ended = subprocess.run(command, capture_output=True, check=True)
    assert (decode_image(ended.stdout, "output") == show(raw).pixels).all()
    assert ended.stderr == b""
    assert not list(in_tmp_path.glob("*.png"))


def test_reader_may_close_the_pipe(raw: Path) -> None:
    command = [*KOLEKTOR, "show", str(raw), "-q", "-o", "-", "--cell", "900"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(4) == b"\x89PNG"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_options_reach_the_verb(raw: Path, in_tmp_path: Path) -> None:
    run("show", raw, "--all", "--columns", 2, "--cell", 50, "-o", "a.png")
    wanted = show(raw, options=ShowOptions(which="all", columns=2, cell=50))
    assert (in_tmp_path / "a.png").read_bytes() == wanted.encoded()
    run("show", raw, "kos01/Part0", "--fit", "crop", "--size", 30, "-o", "b.png")
    wanted = show(raw, ["kos01/Part0"], ShowOptions(fit="crop", size=(30, 30)))
    assert (in_tmp_path / "b.png").read_bytes() == wanted.encoded()


def test_maps_of_a_folder_are_shown(tree: Path, in_tmp_path: Path) -> None:
    for image in load_tree(tree):
        if image.split == "test":
            path = in_tmp_path / "maps" / image.path.replace(".png", ".npy")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, image.mask().astype(np.float32))
    run("show", tree, "--maps", "maps", "--threshold", 0.5, "-o", "a.svg")
    wanted = show(tree, options=ShowOptions(threshold=0.5), maps="maps")
    assert (in_tmp_path / "a.svg").read_bytes() == wanted.encoded(".svg")
    (in_tmp_path / "maps/test/good/000.npy").unlink()
    assert "test/good/000.png: has no map" in error_of("show", tree, "--maps", "maps", code=3)


def test_deviations_are_told(raw: Path, in_tmp_path: Path) -> None:
    (raw / "kos02/Part1.jpg").write_bytes(b"no image")
    assert "kos02/Part1.jpg" in run("show", raw).stderr
    assert run("show", raw, "-q", "--force").stderr == ""
    assert (in_tmp_path / "show.png").exists()


def test_errors_have_exit_codes(raw: Path, tree: Path, in_tmp_path: Path) -> None:
    assert "did you mean kos01/Part0?" in error_of("show", raw, "kos01/part0", code=3)
    assert "nothing to show" in error_of("show", raw, "--pairs", code=3)
    assert "choose one" in error_of("show", raw, "-o", "a.jpg", code=2)
    assert "contradict" in run("show", raw, "--good", "--all", code=2).stderr
    assert "no such" in error_of("show", "nowhere", code=3)
    assert "fitted already" in error_of("show", tree, "--fit", "pad", code=2)
    (in_tmp_path / "show.png").write_bytes(b"mine")
    assert "--force" in error_of("show", raw, code=3)
    assert (in_tmp_path / "show.png").read_bytes() == b"mine"
    assert run("show", raw, "--force").stdout == "show.png\n"
