"""Training: an Anomalib model on a tree, and its anomaly maps in the form that `score` reads."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kolektor_cli.consumers.training import (
    DEFAULT_TRAINING,
    Folders,
    Recipe,
    TrainOptions,
    make_recipe,
)
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import OutputError, TrainingError, UsageError, reason
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.io.parallel import default_jobs
from kolektor_cli.io.places import refuse_folder
from kolektor_cli.io.staging import clear_unfinished, put_in_place, staged
from kolektor_cli.scoring.formats import write_map
from kolektor_cli.scoring.given import IMAGE_SCORES_NAME, binding_of
from kolektor_cli.scoring.maps import BINDING_NAME
from kolektor_cli.tree.layout import is_test_of_defects, split_path
from kolektor_cli.tree.read import read_file
from kolektor_cli.tree.truth import GroundTruth, open_truth

if TYPE_CHECKING:
    from kolektor_cli.consumers.anomalib_engine import Trained

CHECKPOINT_NAME = "model.ckpt"


@dataclass(frozen=True, slots=True)
class Training:
    """A model that was trained, and its maps.

    Attributes
    ----------
    tree
        The category folder.
    maps
        The folder of the maps: one for each image of test and of validation.
    images
        Their number.
    recipe
        How the model was trained.
    settings
        The arguments of the model's constructor that were given or settled.
    own_scores
        Whether the model has image scores that are not the maxima of its maps; they are in
        ``image_scores.csv``.
    fits
        Whether the network's input has about the images' aspect, to a tenth.
    device
        What it ran on.
    versions
        Those of Python and of the libraries, by name.
    weights_sha256
        The SHA-256 of the file of weights that was given; None if none was.
    """

    tree: Path
    maps: Path
    images: int
    recipe: Recipe
    settings: Mapping[str, Any]
    own_scores: bool
    fits: bool
    device: str
    versions: Mapping[str, str]
    weights_sha256: str | None

    @property
    def facts(self) -> dict[str, Any]:
        """All that one needs to train the model again, as JSON has it."""
        recipe = self.recipe
        return {
            "model": recipe.name,
            "input_size": list(recipe.size),
            "epochs": recipe.epochs,
            "steps": recipe.steps,
            "batch": recipe.batch,
            "seed": recipe.seed,
            "settings": dict(self.settings),
            "weights_sha256": recipe.weights
            and hashlib.sha256(read_file(recipe.weights)).hexdigest(),
            "device": self.device,
            "versions": dict(self.versions),
        }


def train(
    tree: str | os.PathLike[str],
    model: str,
    runs: str | os.PathLike[str] = "runs",
    *,
    options: TrainOptions = DEFAULT_TRAINING,
    checkpoint: bool = False,
    force: bool = False,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Training:
    """Train an Anomalib model on a tree, and write its maps as `score` reads them.

    It trains on the tree's training images and no others. The folder of maps appears complete, or
    not at all.

    Parameters
    ----------
    tree
        A category folder, or a folder that holds exactly one; any MVTec-AD-style tree.
    model
        A model of Anomalib, such as ``patchcore``, ``efficientad`` or ``reverse-distillation``.
    runs
        The folder that gets the folder of maps, which is named like the model.
    options
        How it is trained.
    checkpoint
        Keep the trained model, too, as ``model.ckpt``.
    force
        Replace the folder of maps if it exists.
    jobs
        Number of processes that read images; by default one a processor.
    progress
        Called with step, number done and total.

    Raises
    ------
    UsageError
        There is no such model, or it does not take the options.
    OutputError, ManifestError
        The tree cannot be read or is not whole; or the maps exist, or cannot be written.
    TrainingError
        Anomalib is not installed, weights cannot be downloaded, or training fails.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> kolektor.train("data/metal", "padim").maps  # doctest: +SKIP
    PosixPath('runs/padim')
    """
    truth = open_truth(Path(tree))
    folders = _folders(truth)
    sizes = [image.size for image in (*truth.images, *truth.validation)]
    recipe = make_recipe(model, options, sizes)
    weights = _hash(recipe.weights) if recipe.weights else None
    target = Path(runs) / recipe.name
    clear_unfinished(target)
    refuse_folder(target, BINDING_NAME, "train", force=force)
    with staged(target) as stage:
        writer = _Writer(folders.root, stage)
        trained = _run(
            recipe, folders, stage, writer, jobs=jobs, checkpoint=checkpoint, progress=progress
        )
        training = Training(
            tree=truth.folder,
            maps=target,
            images=writer.written,
            recipe=recipe,
            settings=trained.settings,
            own_scores=writer.write_own_scores(),
            fits=_fits(recipe.size, sizes),
            device=trained.device,
            versions=trained.versions,
            weights_sha256=weights,
        )
        _write_binding(stage, truth, training)
        put_in_place(stage, target, replace=force)
    return training


def _hash(weights: Path) -> str:
    if not weights.is_file():
        raise UsageError(f"--weights {weights}: is no file")
    return hashlib.sha256(read_file(weights)).hexdigest()


def _folders(truth: GroundTruth) -> Folders:
    """Return where the images of a tree lie.

    Raises
    ------
    OutputError
        It has no good training images.
    """
    leaves = {split_path(path)[0] for path in truth.paths}
    if "train/good" not in leaves:
        raise OutputError(f"{truth.folder}: has no images in train/good to train on")
    return Folders(
        root=truth.folder.resolve(),
        train="train/good",
        validation="validation/good" if truth.validation else None,
        test_good="test/good" if "test/good" in leaves else None,
        test_defective=sorted(filter(is_test_of_defects, leaves)),
    )


def _run(
    recipe: Recipe,
    folders: Folders,
    stage: Path,
    writer: _Writer,
    *,
    jobs: int | None,
    checkpoint: bool,
    progress: StepProgress,
) -> Trained:
    progress("loading Anomalib", 0, 0)
    with _loading():
        from kolektor_cli.consumers import anomalib_engine as engine
    with tempfile.TemporaryDirectory() as work:
        progress("preparing the model", 0, 0)
        return engine.train(
            recipe,
            folders,
            Path(work),
            writer.receive,
            workers=default_jobs() if jobs is None else jobs,
            checkpoint=stage / CHECKPOINT_NAME if checkpoint else None,
            progress=progress,
        )


@contextmanager
def _loading() -> Iterator[None]:
    """Say how to install Anomalib if it cannot be loaded, and keep its warnings to its developers.

    Raises
    ------
    TrainingError
        It, or a library that it needs, cannot be loaded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImportError as error:
        raise TrainingError(
            f"Anomalib 2 cannot be loaded ({error}); install it: pip install 'kolektor-cli[train]'"
        ) from error


class _Writer:
    """Writes maps as they come, and keeps the scores that a model gives to whole images."""

    def __init__(self, tree: Path, stage: Path) -> None:
        self._tree = tree
        self._stage = stage
        self._scores: dict[str, tuple[float | None, float]] = {}

    @property
    def written(self) -> int:
        """The number of maps."""
        return len(self._scores)

    def receive(self, path: str, values: npt.NDArray[np.float32], score: float | None) -> None:
        """Write the map (height x width) of an image of the tree, given by its absolute path."""
        name = Path(path).relative_to(self._tree)
        file = self._stage / name.with_suffix(".tiff")
        data = write_map(values)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        except OSError as error:
            raise OutputError(f"{file}: cannot be written: {reason(error)}") from error
        self._scores[name.as_posix()] = score, float(values.max())

    def write_own_scores(self) -> bool:
        """Write the model's image scores, unless they are the maxima; return whether it did."""
        own = {path: score for path, (score, most) in self._scores.items() if score != most}
        if not own or None in own.values():
            return False
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("path", "score"))
        rows.writerows((path, repr(self._scores[path][0])) for path in sorted(self._scores))
        (self._stage / IMAGE_SCORES_NAME).write_text(text.getvalue(), "utf-8")
        return True


def _write_binding(stage: Path, truth: GroundTruth, training: Training) -> None:
    """Write beside the maps of which tree they are, and how they were made."""
    text = json.dumps(binding_of(truth) | {"training": training.facts}, indent=2)
    (stage / BINDING_NAME).write_text(text + "\n", "utf-8")


def _fits(size: Size, images: Sequence[Size]) -> bool:
    wanted = size[0] / size[1]
    return all(abs(width / height / wanted - 1) <= 0.1 for width, height in set(images))
