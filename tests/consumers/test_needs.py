"""What contradicts a consumer is refused, and its commands name the tree as it is."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kolektor_cli.consumers.catalogue import CONSUMERS, METAL_NUT, ConsumerName
from kolektor_cli.consumers.needs import Offer, unmet_needs
from kolektor_cli.core.conversion import ConvertOptions, convert, plan_conversion
from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.geometry import Size
from tests.conftest import MakeDataset, write_pair
from tests.consumers.consumed import NAMES, convert_for, errors, out_for


def needs(name: ConsumerName, **offer: Any) -> set[str]:
    """Codes of the needs of a consumer that an offer does not meet."""
    facts = {"out": Path("/data"), "category": METAL_NUT, "sizes": [(256, 256)], "colors": ["rgb"]}
    return {finding.code for finding in unmet_needs(CONSUMERS[name], Offer(**{**facts, **offer}))}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cflow", {"category": "metal"}, "category metal; use --category metal_nut"),
        ("cflow", {"category": "screw"}, "category screw"),
        ("cflow", {"color": "gray"}, "reads no gray images; use --color rgb"),
        ("cfa", {"size": (500, 1240)}, "needs square images, not"),
        ("cfa", {"fit": "thirds"}, "needs square images, not"),
        (
            "fastflow",
            {"size": (300, 300)},
            "needs images of 256x256, 384x384, 448x448, not 300x300",
        ),
        ("fastflow", {"color": "gray"}, "reads no gray images"),
        ("ristorante", {"size": (500, 1240)}, "needs square images, not 500x1240"),
        ("patchcore", {"size": "source"}, "needs images of one size"),
        ("simplenet", {"fit": "thirds"}, "needs images of one size"),
        ("efficientad", {"category": "kolektor"}, "category kolektor"),
        ("adaclip", {}, "to be called SDD_anomaly_detection"),
        ("ader", {}, "to be called mvtec or visa"),
    ],
)
def test_what_contradicts_a_consumer_is_refused(
    make_dataset: MakeDataset,
    tmp_path: Path,
    name: ConsumerName,
    options: dict[str, Any],
    message: str,
) -> None:
    raw = make_dataset()
    # Images of two sizes.
    write_pair(raw / "kos09", "Part0", 1, size=(40, 70))
    wanted = ConvertOptions(consumers=name, **options)
    for verb in (convert, plan_conversion):
        with pytest.raises(UsageError, match=f"--for {name}: .*{message}"):
            verb(raw, tmp_path / "out", wanted)
    assert not (tmp_path / "out").exists()


def test_paths_on_which_a_consumer_stumbles_are_refused() -> None:
    assert needs("fastflow") == set()
    for path in ("/a/test/data", "/a/test", "/a.png/b", "/a[1]", "/a*"):
        assert needs("fastflow", out=Path(path)) == {"path"}
    assert needs("draem", out=Path("/a[1]")) == {"path"}
    assert needs("ristorante", out=Path("/a[1]")) == {"path"}
    assert needs("ader", out=Path("/a=b/mvtec")) == {"path"}
    assert needs("anomalib", out=Path("/a/test/data")) == set()


def test_tree_made_for_nobody_lacks_what_consumers_need(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    convert(make_dataset(), out, ConvertOptions(color="gray"))
    assert {name: errors(out, name) for name in NAMES} == {
        "anomalib": set(),
        "patchcore": set(),
        "cflow": {"category", "color"},
        "cfa": {"category", "size"},
        "fastflow": {"category", "color", "size"},
        "ristorante": {"size"},
        "efficientad": {"category"},
        "simplenet": set(),
        "anomalyclip": {"no-meta"},
        "adaclip": {"root", "no-meta"},
        "ader": {"root", "no-meta"},
        "mambaad": {"root", "no-meta"},
        "uniad": {"no-list"},
        "rd4ad": {"category"},
        "draem": {"category"},
        "dinomaly": {"category"},
        "inp-former": {"category"},
        "musc": set(),
        "glass": set(),
        "supersimplenet": {"category"},
        "open-iad": {"category"},
        "aaclip": {"no-list"},
        "dra": set(),
    }


@pytest.mark.parametrize("name", NAMES)
def test_commands_name_the_tree_as_it_is(
    make_dataset: MakeDataset, tmp_path: Path, name: ConsumerName
) -> None:
    out = out_for(name, tmp_path / "with space")
    [guide] = convert_for(name, make_dataset(), out).guides
    assert guide.consumer == name
    words = [word for command in guide.commands for word in shlex.split(command)]
    texts = " ".join(words)
    assert not re.search(r"\{[a-z_]+\}", texts)
    assert str(out if name != "adaclip" else out.parent) in texts
    if name not in ("anomalib", "ristorante", "anomalyclip", "adaclip", "uniad"):
        category = CONSUMERS[name].category or "metal"
        assert any(category in re.split(r'[="]', word) for word in words) or name == "draem"


def test_draem_gets_the_number_of_its_category(make_dataset: MakeDataset, tmp_path: Path) -> None:
    raw = make_dataset()
    for category, number in (("capsule", 0), (METAL_NUT, 10), ("wood", 14)):
        [guide] = convert_for("draem", raw, tmp_path / "out", category=category).guides
        assert f"--obj_id {number} " in guide.commands[1]
        assert f'test(["{category}"],' in guide.commands[2]


@pytest.mark.parametrize(
    ("size", "config"), [((256, 256), "resnet18"), ((384, 384), "deit"), ((448, 448), "cait")]
)
def test_fastflow_gets_the_config_of_its_size(
    make_dataset: MakeDataset, tmp_path: Path, size: Size, config: str
) -> None:
    [guide] = convert_for("fastflow", make_dataset(), tmp_path / "data", size=size).guides
    assert f"configs/{config}.yaml" in guide.commands[0]


@pytest.mark.parametrize(
    ("options", "fit", "size"),
    [
        ({}, "pad", [1240, 1240]),
        ({"size": (300, 400)}, "pad", [300, 400]),
        ({"size": "source"}, "stretch", "source"),
        ({"fit": "stretch"}, "stretch", [500, 1240]),
        ({"fit": "square"}, "square", [500, 500]),
    ],
)
def test_code_that_makes_images_square_gets_padded_ones_by_default(
    make_dataset: MakeDataset,
    tmp_path: Path,
    options: dict[str, Any],
    fit: str,
    size: list[int] | str,
) -> None:
    made = convert_for("cflow", make_dataset(), tmp_path, **options).plan.options
    assert (made["fit"], made["size"]) == (fit, size)


def test_release_decides_on_the_size_of_padded_images(
    make_dataset_2: MakeDataset, tmp_path: Path
) -> None:
    assert convert_for("cflow", make_dataset_2(), tmp_path / "a").plan.options["size"] == [630, 630]
    fixed = convert_for("patchcore", tmp_path / "raw", tmp_path / "b").plan.options
    assert (fixed["fit"], fixed["size"]) == ("pad", [256, 256])


def test_ristorante_trains_on_the_category_alone(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "it's"
    [guide] = convert_for("ristorante", make_dataset(), out, category="part").guides
    trained: list[str] = []
    main = SimpleNamespace(cfg=SimpleNamespace(), MVTec=SimpleNamespace())
    main.main = lambda: trained.extend(main.MVTec.CATEGORY)
    monkeypatch.setitem(sys.modules, "main", main)
    exec(shlex.split(guide.commands[0])[-1])
    assert main.cfg.mvtec_path == str(out.resolve())
    assert trained == ["part"]
