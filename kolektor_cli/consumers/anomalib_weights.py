"""Pretrained weights of Anomalib's models: from a file, or an error that says where they lie.

Like `anomalib_engine`, which alone imports it, this module loads PyTorch.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision

from kolektor_cli.consumers.training import Recipe
from kolektor_cli.errors import TrainingError, UsageError


@contextmanager
def pretrained(recipe: Recipe) -> Iterator[list[str]]:
    """Give a file of weights to the networks that ask for pretrained ones; yield their names.

    Anomalib has no argument for such a file, so the two functions that it asks are replaced.
    """
    create, state_dict = timm.create_model, torchvision.models.WeightsEnum.get_state_dict
    asked: list[str] = []

    def create_model(name: str, *args: Any, pretrained: bool = False, **options: Any) -> Any:
        if not pretrained:
            return create(name, *args, **options)
        asked.append(name)
        with _weights_of(name, _hub_name(name), recipe):
            if recipe.weights is not None:
                _check_weights(create(name), name, recipe.weights)
                options["pretrained_cfg_overlay"] = {"file": str(recipe.weights)}
            return create(name, *args, pretrained=True, **options)

    def get_state_dict(weights: Any, *args: Any, **options: Any) -> Any:
        asked.append(str(weights))
        with _weights_of(str(weights), weights.url, recipe):
            if recipe.weights is not None:
                return torch.load(recipe.weights, map_location="cpu", weights_only=True)
            return state_dict(weights, *args, **options)

    timm.create_model = create_model
    torchvision.models.WeightsEnum.get_state_dict = get_state_dict
    try:
        yield asked
    finally:
        timm.create_model = create
        torchvision.models.WeightsEnum.get_state_dict = state_dict


def _check_weights(network: torch.nn.Module, name: str, file: Path) -> None:
    """Refuse weights that lack what the network has, but for its classifier.

    timm passes over what is missing if it takes the features of a network alone.
    """
    given = timm.models.load_state_dict(str(file))
    classifier = getattr(timm.get_pretrained_cfg(name), "classifier", None) or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    own = {
        key: tensor.shape
        for key, tensor in network.state_dict().items()
        if not key.startswith(tuple(f"{head}." for head in heads))
    }
    lacking = [key for key, shape in own.items() if key not in given or given[key].shape != shape]
    if lacking:
        raise ValueError(
            f"{len(lacking)} of its {len(own)} tensors are not there, such as {lacking[0]}"
        )


def _hub_name(name: str) -> str:
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    hub = getattr(config, "hf_hub_id", None)
    return f"https://huggingface.co/{hub}" if hub else str(getattr(config, "url", "its address"))


@contextmanager
def _weights_of(name: str, place: str, recipe: Recipe) -> Iterator[None]:
    """Say whose weights failed, and how."""
    try:
        yield
    except OSError as error:
        if recipe.weights is not None:
            raise TrainingError(f"--weights {recipe.weights}: cannot be read: {error}") from error
        raise TrainingError(
            f"the pretrained weights of {name} cannot be downloaded from {place}; download them on "
            "another machine and give the file by --weights"
        ) from error
    except (RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        if recipe.weights is None:
            raise
        raise UsageError(
            f"--weights {recipe.weights}: are not the weights of {name}: "
            f"{str(error).splitlines()[0]}"
        ) from error
