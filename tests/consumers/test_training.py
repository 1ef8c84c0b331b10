"""What a model is trained with: options, presets, and what stands in for them."""

from __future__ import annotations

from typing import Any

import pytest

from kolektor_cli.consumers.training import (
    MODELS,
    Recipe,
    TrainOptions,
    known_name,
    make_recipe,
    parse_setting,
)
from kolektor_cli.errors import UsageError
from kolektor_cli.scoring.published import PUBLISHED

KOLEKTOR = [(500, 1240)]


def recipe(model: str, **options: Any) -> Recipe:
    return make_recipe(model, TrainOptions(**options), KOLEKTOR)


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("PatchCore", "patchcore"),
        ("efficient_ad", "efficientad"),
        ("ReverseDistillation", "reverse-distillation"),
        ("reverse_distillation", "reverse-distillation"),
        ("Uni_Net", "uninet"),
        ("fre", "fre"),
    ],
)
def test_a_model_has_one_name_however_it_is_spelled(spelled: str, name: str) -> None:
    assert known_name(spelled) == name
    assert recipe(spelled).name == name


@pytest.mark.parametrize("model", ["", "..", "a/b", "patch core", "-"])
def test_what_cannot_name_a_model_is_refused(model: str) -> None:
    with pytest.raises(UsageError, match="names no model"):
        recipe(model)


def test_the_input_keeps_the_aspect_of_the_images() -> None:
    assert recipe("patchcore").size == (160, 416)
    assert make_recipe("padim", TrainOptions(), [(500, 500)]).size == (256, 256)
    mixed = make_recipe("padim", TrainOptions(), [(230, 600), (230, 660)])
    assert mixed.size == make_recipe("padim", TrainOptions(), [(230, 630)]).size


def test_an_input_that_is_asked_for_is_taken() -> None:
    assert recipe("patchcore", size=(128, 320)).size == (128, 320)


def test_a_backbone_of_one_input_gets_that() -> None:
    assert recipe("fastflow", backbone="cait_m48_448").size == (448, 448)
    assert recipe("fastflow", backbone="wide_resnet50_2").size == (160, 416)


def test_a_model_of_squares_gets_a_square() -> None:
    assert recipe("cfa").size == (256, 256)
    assert recipe("glass").size == (288, 288)


def test_the_preset_has_the_published_rows_of_anomalib() -> None:
    rows = [row for row in PUBLISHED if row.code == "Anomalib"]
    assert len(rows) == 4
    for row in rows:
        model = known_name(row.model.removesuffix("-AD"))
        found = recipe(model, preset="original", backbone=row.backbone)
        assert found.settings == {"backbone": row.backbone}
        assert found.size == ((448, 448) if row.backbone == "cait_m48_448" else (256, 256))


def test_the_preset_chooses_a_backbone_itself() -> None:
    assert recipe("cflow", preset="original").settings == {"backbone": "wide_resnet50_2"}
    assert recipe("fastflow", preset="original").settings == {"backbone": "resnet18"}


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("padim", {"preset": "original"}, "--preset original has patchcore"),
        ("patchcore", {"preset": "original", "backbone": "resnet18"}, "has patchcore with wide"),
        ("patchcore", {"preset": "original", "size": (256, 256)}, "contradict"),
        ("patchcore", {"preset": "paper"}, "'paper' is not one of original"),
        ("patchcore", {"size": (0, 256)}, "at least 1"),
        ("patchcore", {"seed": -1}, "--seed -1"),
        ("patchcore", {"epochs": 0}, "--epochs 0"),
    ],
)
def test_options_that_contradict_are_refused(
    model: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        recipe(model, **options)


def test_epochs_replace_the_limit_on_steps() -> None:
    assert (recipe("efficientad").epochs, recipe("efficientad").steps) == (1000, 70_000)
    shorter = recipe("efficientad", epochs=3)
    assert (shorter.epochs, shorter.steps) == (3, None)


def test_every_known_model_ends() -> None:
    for name in MODELS:
        assert recipe(name).epochs or recipe(name).steps, name


def test_a_model_without_known_epochs_needs_them() -> None:
    with pytest.raises(UsageError, match="give --epochs"):
        recipe("supersimplenet")
    assert recipe("supersimplenet", epochs=2).epochs == 2


def test_settings_are_passed_on_and_win() -> None:
    found = recipe("dinomaly", backbone="vit_a", settings={"decoder_depth": 2})
    assert found.settings == {"encoder_name": "vit_a", "decoder_depth": 2}
    assert recipe("padim", backbone="a", settings={"backbone": "b"}).settings == {"backbone": "b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", ("a", 1)),
        ("ratio=0.01", ("ratio", 0.01)),
        ("pre_trained=false", ("pre_trained", False)),
        ('layers=["blocks.2"]', ("layers", ["blocks.2"])),
        ("decoder=freia-cflow", ("decoder", "freia-cflow")),
        ("name=a=b", ("name", "a=b")),
    ],
)
def test_a_value_is_json_or_a_text(text: str, expected: tuple[str, Any]) -> None:
    assert parse_setting(text) == expected


@pytest.mark.parametrize("text", ["", "a", "=1", "a b=1", "1a=2"])
def test_a_setting_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not KEY=VALUE"):
        parse_setting(text)
