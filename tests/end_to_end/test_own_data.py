"""The commands of own-data.md work on replicas of the public datasets' folders."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from importlib import resources
from pathlib import Path

import pytest

from tests.own import as_pairs, write_own
from tests.running import run
from tests.trees import read_manifest

GUIDE = (resources.files("kolektor_cli") / "docs/own-data.md").read_text(encoding="utf-8")

COMMANDS = dict(re.findall(r"^\| (.+?) \| `kolektor (.+)` \|$", GUIDE, re.MULTILINE))

BOX = (8, 10, 12, 9)

Replica = list[tuple[str, str | None, bool]]
"""Names of images, of their masks if there are any, and whether they are defective."""


def dagm() -> Replica:
    halves = ("Class1/Train", "Class1/Test")
    return [
        (f"{h}/{n:04}.PNG", f"{h}/Label/{n:04}_label.PNG" if n < 3 else None, n < 3)
        for h in halves
        for n in range(1, 9)
    ]


def tiles() -> Replica:
    kinds = {"MT_Blowhole": 2, "MT_Crack": 2, "MT_Free": 7}
    stems = [f"{kind}/Imgs/exp{n}_num_{n}7" for kind, count in kinds.items() for n in range(count)]
    return [
        (f"Magnetic-tile/{stem}.jpg", f"Magnetic-tile/{stem}.png", not stem.startswith("MT_Free"))
        for stem in stems
    ]


def btad() -> Replica:
    good = [f"01/{half}/ok/{n:04}.bmp" for half in ("train", "test") for n in range(4)]
    bad = [(f"01/test/ko/{n:04}.bmp", f"01/ground_truth/ko/{n:04}.png", True) for n in range(3)]
    return [*((name, None, False) for name in good), *bad]


def ksdd2() -> Replica:
    halves = {"train": range(10000, 10006), "test": range(20000, 20004)}
    return [
        (f"KolektorSDD2/{half}/images/{n}.png", f"KolektorSDD2/{half}/masks/{n}_GT.png", n % 5 == 0)
        for half, numbers in halves.items()
        for n in numbers
    ]


def rails() -> Replica:
    names = [f"rail_{n}.jpg" for n in range(1, 5)]
    return [(f"Type-I/Rail surface images/{n}", f"Type-I/GroundTruth/{n}", True) for n in names]


def cracks() -> Replica:
    root = "CrackForest"
    return [(f"{root}/Images/{n:03}.jpg", f"{root}/Masks/{n:03}_label.PNG", True) for n in range(4)]


def castings() -> Replica:
    kinds = {"ok_front": 4, "def_front": 2}
    return [
        (f"casting_data/{half}/{kind}/cast_{half}_{n}.jpeg", None, kind == "def_front")
        for half in ("train", "test")
        for kind, count in kinds.items()
        for n in range(count)
    ]


REPLICAS = {
    "DAGM 2007, a class": dagm(),
    "magnetic tiles": tiles(),
    "BTAD, a product": btad(),
    "KolektorSDD2, images and masks apart": ksdd2(),
    "RSDDs": rails(),
    "casting products, no masks": castings(),
    "CrackForest, masks as PNG": cracks(),
}


def test_every_command_of_the_guide_has_a_replica() -> None:
    assert COMMANDS.keys() == REPLICAS.keys()


@pytest.mark.parametrize("dataset", REPLICAS)
def test_command_of_the_guide_finds_every_sample_and_its_label(
    dataset: str, tmp_path: Path
) -> None:
    for seed, (image, mask, defective) in enumerate(REPLICAS[dataset]):
        drawn = tmp_path / mask if mask else None
        write_own(tmp_path / image, seed, drawn, BOX if defective else None)
    command, folder, *rest = shlex.split(COMMANDS[dataset])
    source, out = tmp_path / folder, tmp_path / "out"
    options = [option for option in rest if option != "data"]
    found = json.loads(run("inspect", source, *of_layout(options), "--json").stdout)
    labels = {sample["image"]: sample["label"] for sample in found["samples"]}
    assert labels == {
        image.partition("/")[2]: "defective" if defective else "good"
        for image, _, defective in REPLICAS[dataset]
    }
    if command == "convert":
        run("convert", source, out, *options)
        run("verify", out, "--source", source)
    else:
        error = run("convert", source, out, *options, code=2).stderr
        assert "good samples to test out of 0" in error


def of_layout(options: list[str]) -> list[str]:
    """Return the options without the protocol, which `inspect` does not take."""
    return shlex.split(re.sub(r"--protocol \S+", "", shlex.join(options)))


@pytest.mark.long
def test_real_dataset_as_pairs_gives_the_pixels_and_items_of_the_native_layout(
    real: Path, real_data: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(real) as archive:
        archive.extractall(tmp_path / "raw")
    own = as_pairs(tmp_path / "raw", tmp_path / "metal")
    layout = ("--layout", "pairs", "--item", r"(kos\d+)", "--size", "500x1240")
    run("convert", own, tmp_path / "out", *layout)
    native, pairs = (
        {(e.sample.replace("/", "_"), e.role): (e.pixels_sha256, e.group) for e in manifest.files}
        for manifest in map(read_manifest, (real_data / "metal", tmp_path / "out/metal"))
    )
    assert len(native) == 451
    assert pairs == native
