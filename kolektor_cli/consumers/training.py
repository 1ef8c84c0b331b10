"""What an Anomalib model is trained with: its settings, and those of the published results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from kolektor_cli.consumers.input_size import input_size, typical_size
from kolektor_cli.errors import UsageError, require_one_of, require_whole
from kolektor_cli.imaging.geometry import Size

PresetName: TypeAlias = Literal["original"]

Settings: TypeAlias = Mapping[str, Any]
"""Arguments of a model's constructor, by name."""

_PRESETS: tuple[PresetName, ...] = ("original",)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model before it is made.

    Attributes
    ----------
    epochs
        Epochs of training in Anomalib's example configuration, or 1 for a model that looks at each
        image once; None if none are known.
    steps
        Batches of training there, at most; None for no limit.
    batch
        Images in a batch of training.
    side
        Side, in pixels, of the square input that the model was made for.
    multiple
        What the sides of its input must be divisible by, in pixels.
    square
        Whether it takes no other input than a square.
    backbone_setting
        The name of its argument for the backbone.
    """

    epochs: int | None = None
    steps: int | None = None
    batch: int = 32
    side: int = 256
    multiple: int = 32
    square: bool = False
    backbone_setting: str = "backbone"


# Epochs and steps: examples/configs/model of open-edge-platform/anomalib at b723368. Its early
# stopping is left out: it looks at the test set.
MODELS: Mapping[str, ModelFacts] = {
    "patchcore": ModelFacts(epochs=1),
    "padim": ModelFacts(epochs=1),
    "fastflow": ModelFacts(epochs=500),
    "cflow": ModelFacts(epochs=50),
    # It flattens its maps as squares.
    "cfa": ModelFacts(epochs=30, square=True),
    # Its code accepts no other batch.
    "efficientad": ModelFacts(epochs=1000, steps=70_000, batch=1),
    "stfpm": ModelFacts(epochs=100),
    "reverse-distillation": ModelFacts(epochs=200),
    "dinomaly": ModelFacts(steps=5000, side=392, multiple=14, backbone_setting="encoder_name"),
    "csflow": ModelFacts(epochs=240),
    "draem": ModelFacts(epochs=700),
    "uflow": ModelFacts(epochs=200, side=448, square=True),
    "uninet": ModelFacts(epochs=100),
    "glass": ModelFacts(epochs=100, side=288, square=True),
    "dsr": ModelFacts(epochs=700),
    "fre": ModelFacts(epochs=220),
    "dfm": ModelFacts(epochs=1),
    "rad": ModelFacts(epochs=1),
    "winclip": ModelFacts(epochs=1),
    "anomalydino": ModelFacts(epochs=1),
    "inp-former": ModelFacts(epochs=200, side=392, multiple=14, backbone_setting="encoder_name"),
}
"""Models by the names that help and messages give; Anomalib has more."""

FIXED_INPUTS: Mapping[str, int] = {
    "cait_m48_448": 448,
    "deit_base_distilled_patch16_384": 384,
}
"""Backbones that take square images of one side only, in pixels."""

_ORIGINAL: Mapping[tuple[str, str], int] = {
    ("patchcore", "wide_resnet50_2"): 256,
    ("fastflow", "resnet18"): 256,
    ("fastflow", "cait_m48_448"): 448,
    ("cflow", "wide_resnet50_2"): 256,
}
"""Model, backbone and side of the square input in pixels: the rows under Anomalib of the original
project's table (see `scoring.published`). Its images are stretched to the square."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How a model is trained.

    Attributes
    ----------
    backbone
        The network whose features the model uses, by timm's name; by default the model's own.
    weights
        A file of pretrained weights for it, instead of a download.
    preset
        ``original`` for the settings of the original project's table: backbone, and images
        stretched to a square.
    size
        Width and height of the network's input in pixels; by default of about the area that the
        model was made for, with the images' aspect.
    epochs
        Passes over the training images; by default those of Anomalib's example configuration.
    seed
        Of every random choice.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    settings
        More arguments of the model's constructor, by name.
    """

    backbone: str | None = None
    weights: Path | None = None
    preset: PresetName | None = None
    size: Size | None = None
    epochs: int | None = None
    seed: int = 0
    device: str = "auto"
    settings: Settings = field(default_factory=dict)


DEFAULT_TRAINING = TrainOptions()


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides how a model is trained, but for the images.

    `name` is that of `MODELS`, or in its style; `size` is width and height of the input in pixels.
    `steps` limits the batches of training, `batch` is the number of images in one. `settings` are
    arguments of the model's constructor.
    """

    name: str
    size: Size
    epochs: int | None
    steps: int | None
    batch: int
    seed: int
    device: str
    weights: Path | None
    settings: Settings


@dataclass(frozen=True, slots=True)
class Folders:
    """Where images lie: folders relative to `root`. Without `validation`, `train` stands in.

    What validation decides is a scale at most (EfficientAD's quantiles of good images): it takes
    no look at test images.
    """

    root: Path
    train: str
    validation: str | None
    test_good: str | None
    test_defective: Sequence[str]


def known_name(model: str) -> str:
    """Return the name of a model as `MODELS` writes it, however it is spelled."""
    squeezed = squeeze(model)
    return next((name for name in MODELS if squeeze(name) == squeezed), squeezed)


def squeeze(model: str) -> str:
    """Return a model's name in lower case without hyphens and underscores."""
    return model.casefold().replace("-", "").replace("_", "")


def make_recipe(model: str, options: TrainOptions, images: Sequence[Size]) -> Recipe:
    """Settle what the options leave open for a model and images of these sizes (width, height).

    Raises
    ------
    UsageError
        The model has no name, or options are wrong or contradict each other.
    """
    name = known_name(model)
    if not (name.isidentifier() or name in MODELS):
        raise UsageError(f"{model!r} names no model; examples are {', '.join(list(MODELS)[:9])}")
    require_whole("seed", options.seed)
    if options.epochs is not None:
        require_whole("epochs", options.epochs, least=1)
    if options.preset is not None:
        require_one_of("preset", options.preset, _PRESETS)
    facts = MODELS.get(name, ModelFacts())
    if options.epochs is None and facts.epochs is None and facts.steps is None:
        raise UsageError(
            f"no number of epochs is known for {name}; give --epochs, which is 1 for a model that "
            "looks at each image once"
        )
    backbone, side = _preset(name, options)
    size = options.size or _size(backbone, side, facts, images)
    if min(size) < 1:
        raise UsageError(f"--size {size[0]}x{size[1]}: both sides must be at least 1")
    given = {facts.backbone_setting: backbone} if backbone else {}
    return Recipe(
        name=name,
        size=size,
        epochs=options.epochs or facts.epochs,
        steps=None if options.epochs else facts.steps,
        batch=facts.batch,
        seed=options.seed,
        device=options.device,
        weights=options.weights,
        settings=given | dict(options.settings),
    )


def _preset(name: str, options: TrainOptions) -> tuple[str | None, int | None]:
    """Return the backbone, and the side in pixels that a preset stretches images to."""
    if options.preset is None:
        return options.backbone, None
    if options.size is not None:
        raise UsageError("--preset and --size contradict each other; give one")
    rows = {key: side for key, side in _ORIGINAL.items() if key[0] == name}
    wanted = [key for key in rows if options.backbone in (None, key[1])]
    if not wanted:
        known = ", ".join(f"{model} with {backbone}" for model, backbone in _ORIGINAL)
        raise UsageError(f"--preset {options.preset} has {known}; leave it out for other models")
    return wanted[0][1], rows[wanted[0]]


def _size(
    backbone: str | None, side: int | None, facts: ModelFacts, images: Sequence[Size]
) -> Size:
    side = FIXED_INPUTS.get(backbone or "", facts.side if facts.square else side)
    if side is not None:
        return side, side
    return input_size(typical_size(images), area=facts.side**2, multiple=facts.multiple)


def parse_setting(text: str) -> tuple[str, Any]:
    """Read ``key=value``; a value that is no JSON is a text.

    Raises
    ------
    UsageError
        There is no ``=``, or no name before it.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise UsageError(f"--set {text!r} is not KEY=VALUE, as in coreset_sampling_ratio=0.01")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
