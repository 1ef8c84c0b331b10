"""A trained model as notes and JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kolektor_cli.cli.render.tables import JsonObject
from kolektor_cli.scoring.given import IMAGE_SCORES_NAME

if TYPE_CHECKING:
    from kolektor_cli.core.training import Training


def training_notes(trained: Training) -> Iterator[str]:
    """Tell how a model was trained, and how else its maps can be scored."""
    recipe = trained.recipe
    width, height = recipe.size
    yield (
        f"{recipe.name}: {trained.images} maps, input {width}x{height}, seed {recipe.seed}, "
        f"on {trained.device}"
    )
    if not trained.fits:
        yield (
            f"the images were stretched to {width}x{height}; without --size and --preset, or with "
            "a tree of --fit pad, they keep their aspect"
        )
    if trained.own_scores:
        command = shlex.join(["kolektor", "score", str(trained.tree), str(trained.maps)])
        own = shlex.quote(str(trained.maps / IMAGE_SCORES_NAME))
        yield f"with the model's own image scores: {command} --image-scores {own}"


def training_json(trained: Training) -> JsonObject:
    """Return all that is known of a trained model."""
    return {
        "maps": str(trained.maps),
        "images": trained.images,
        "own_image_scores": trained.own_scores,
        "keeps_aspect": trained.fits,
        **trained.facts,
    }
