"""Anomalib's models on a tree: trained by its engine, their maps handed over one by one.

This module loads PyTorch, Lightning and Anomalib, of the extra ``[train]``; only
`core.training` imports it, and when it trains.
"""

from __future__ import annotations

import inspect
import logging
import os
import platform
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import timm
import torch
import torchvision
from anomalib.data import AnomalibDataModule
from anomalib.data.datasets.image.folder import FolderDataset
from anomalib.data.utils import Split
from anomalib.engine import Engine
from anomalib.models import AnomalibModule, get_model
from anomalib.pre_processing import PreProcessor
from lightning.pytorch import Callback, seed_everything
from torchvision.transforms.v2 import CenterCrop, Compose, Resize

from kolektor_cli.consumers.anomalib_weights import pretrained
from kolektor_cli.consumers.training import Folders, Recipe, known_name, squeeze
from kolektor_cli.errors import TrainingError, UsageError

Receive: TypeAlias = Callable[[str, npt.NDArray[np.float32], "float | None"], None]
"""Called with an image's path as given, its map (height x width), and its own score or None."""

Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """What was trained: arguments of the model that were settled here, and versions by name."""

    settings: Mapping[str, Any]
    device: str
    versions: Mapping[str, str]


def train(
    recipe: Recipe,
    folders: Folders,
    work: Path,
    receive: Receive,
    *,
    workers: int,
    checkpoint: Path | None,
    progress: Progress,
) -> Trained:
    """Train a model, and pass the maps of all test and validation images to `receive`.

    `work` is an empty folder for what the engine writes; `workers` are processes that read images.
    `checkpoint` is where the trained model goes, if anywhere.

    Raises
    ------
    UsageError
        There is no such model, it does not take these settings, or gives no maps; or the device
        is not there.
    TrainingError
        Weights cannot be got, or training fails.
    """
    accelerator, devices = _device(recipe.device)
    with _silence():
        seed_everything(recipe.seed, workers=True)
        model, settings = _make_model(recipe)
        engine = Engine(
            default_root_dir=work,
            accelerator=accelerator,
            devices=devices,
            max_epochs=recipe.epochs or -1,
            max_steps=recipe.steps or -1,
            deterministic="warn",
            # No logger, no checkpoints, no bars: what is kept, and what is shown, is decided here.
            barebones=True,
            # A few models measure good images of validation before they predict. No figure of
            # validation is used, so a single batch is enough to call them.
            limit_val_batches=1,
            callbacks=[_Steps(progress, recipe), _Hand(receive, recipe.name, progress)],
        )
        with _telling(recipe, work):
            data = _Images(folders, recipe.batch, workers)
            engine.fit(model=model, datamodule=data)
            engine.predict(model=model, datamodule=data, return_predictions=False)
            if checkpoint is not None:
                engine.trainer.save_checkpoint(checkpoint)
    return Trained(settings, _device_name(engine), _versions())


class _Images(AnomalibDataModule):
    """The images of a tree, each in the split of its folder; no masks, since none are needed."""

    def __init__(self, folders: Folders, batch: int, workers: int) -> None:
        # "from_dir" keeps good test images, and without any, "none" takes none from training.
        super().__init__(
            train_batch_size=batch,
            eval_batch_size=16,
            num_workers=workers,
            test_split_mode="from_dir" if folders.test_good else "none",
            val_split_mode="from_dir",
        )
        self._folders = folders

    def _setup(self, _stage: str | None = None) -> None:
        folders = self._folders
        self.train_data = self._read(folders.train, Split.TRAIN)
        self.val_data = self._read(folders.validation or folders.train, Split.TRAIN)
        self.test_data = self._read(
            folders.train,
            Split.TEST,
            normal_test_dir=folders.test_good,
            abnormal_dir=list(folders.test_defective) or None,
        )

    def _read(self, normal: str, split: Split, **more: Any) -> FolderDataset:
        root = self._folders.root
        return FolderDataset(name=root.name, root=root, normal_dir=normal, split=split, **more)

    def predict_dataloader(self) -> list[Any]:
        """Return what reads the test images and, where there are any, those of validation."""
        validation = [self.val_dataloader()] if self._folders.validation else []
        return [self.test_dataloader(), *validation]


class _Steps(Callback):
    """Tells of each batch of training."""

    def __init__(self, progress: Progress, recipe: Recipe) -> None:
        self._progress = progress
        self._recipe = recipe
        self._done = 0

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self._done += 1
        epochs, steps = trainer.max_epochs, self._recipe.steps
        total = trainer.num_training_batches * epochs if epochs and epochs > 0 else steps or 0
        total = min(total, steps or total)
        self._progress("training", self._done, total)
        if self._done == total:
            # Memory banks and thresholds are made after the last batch.
            self._progress("finishing the model", 0, 0)


class _Hand(Callback):
    """Hands over the maps of each batch, so that they are never all in memory."""

    def __init__(self, receive: Receive, name: str, progress: Progress) -> None:
        self._receive = receive
        self._name = name
        self._progress = progress
        self._done = 0

    def on_predict_batch_end(
        self, trainer: Any, _module: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        if batch.anomaly_map is None:
            raise UsageError(f"{self._name} gives image scores, but no anomaly maps")
        maps = batch.anomaly_map.float().cpu().numpy()
        scores = [None] * len(maps)
        if batch.pred_score is not None:
            scores = batch.pred_score.float().cpu().numpy().reshape(-1).tolist()
        for path, values, score in zip(batch.image_path, maps, scores, strict=True):
            self._receive(path, values.reshape(values.shape[-2:]), score)
        self._done += len(maps)
        total = sum(len(loader.dataset) for loader in trainer.predict_dataloaders)
        self._progress("predicting", self._done, total)


def _make_model(recipe: Recipe) -> tuple[AnomalibModule, Mapping[str, Any]]:
    """Return a model, and the arguments it got that a recipe can have."""
    kind = _model_class(recipe.name)
    taken = inspect.signature(kind).parameters
    for key in recipe.settings:
        if key not in taken:
            known = ", ".join(name for name in taken if name not in _PARTS)
            raise UsageError(f"{recipe.name} takes no setting {key!r}; it takes {known}")
    settings = _layers(taken, recipe.settings) | dict(recipe.settings)
    parts: dict[str, Any] = dict.fromkeys(_PARTS & taken.keys(), False)
    parts["pre_processor"] = _pre_processor(kind, recipe)
    with pretrained(recipe) as asked:
        try:
            model = get_model(squeeze(recipe.name), **settings, **parts)
        except (TypeError, ValueError, RuntimeError, NotImplementedError, KeyError) as error:
            told = f"{type(error).__name__}: {error}"
            raise UsageError(
                f"{recipe.name} cannot be made with --size {recipe.size[0]}x{recipe.size[1]} and "
                f"{settings or 'its own settings'} ({told})"
            ) from error
    if recipe.weights is not None and not asked:
        raise UsageError(f"--weights: {recipe.name} asks for no pretrained weights here")
    return model, settings


_PARTS = {"pre_processor", "post_processor", "evaluator", "visualizer"}
"""Arguments that are not settings. No post-processor: it scales and clamps scores. No evaluator
and no visualizer: `score` and `show` do their work."""


def _model_class(name: str) -> type[AnomalibModule]:
    kinds: dict[str, type[AnomalibModule]] = {
        kind.__name__.casefold(): kind
        for kind in AnomalibModule.__subclasses__()
        if kind.__module__.startswith("anomalib.models.image.")
    }
    if squeeze(name) not in kinds:
        known = ", ".join(known_name(kind) for kind in sorted(kinds))
        raise UsageError(f"Anomalib has no model {name} for images; it has {known}")
    return kinds[squeeze(name)]


def _layers(taken: Mapping[str, inspect.Parameter], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layers of another backbone that stand where the default ones do, if need be.

    The defaults are those of a ResNet, whose ``layer1`` is the second of timm's features: the
    features of the same scale are taken from another network.
    """
    backbone = settings.get("backbone")
    if backbone is None or "layers" not in taken or "layers" in settings:
        return {}
    default = [str(layer) for layer in taken["layers"].default]
    try:
        made = timm.create_model(backbone, pretrained=False, features_only=True)
    except (RuntimeError, ValueError, KeyError) as error:
        raise UsageError(f"--backbone {backbone}: timm cannot make it ({error})") from error
    names = [str(info["module"]) for info in made.feature_info.info]
    if set(default) <= set(names):
        return {}
    return {"layers": [names[int(layer.removeprefix("layer"))] for layer in default]}


def _pre_processor(kind: type[AnomalibModule], recipe: Recipe) -> PreProcessor:
    """Return the model's own pre-processor, but for the size, and without a center crop.

    Anomalib's `Resize` of both sides would stretch, and a crop would lose defects.
    """
    width, height = recipe.size
    default = kind.configure_pre_processor().transform
    kept = [step for step in default.transforms if not isinstance(step, (Resize, CenterCrop))]
    return PreProcessor(transform=Compose([Resize((height, width), antialias=True), *kept]))


def _device(device: str) -> tuple[str, int | list[int]]:
    """Return Lightning's names for a device.

    Raises
    ------
    UsageError
        It has no such name, or is not there.
    """
    kind, colon, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (colon and not number.isdecimal()):
        raise UsageError(f"--device {device!r} is not auto, cpu, cuda, cuda:N or mps")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(kind, True):
        found = ", ".join(["cpu", *(name for name, is_there in there.items() if is_there)])
        raise UsageError(f"--device {device}: PyTorch finds none here; it finds {found}")
    if colon and int(number) >= torch.cuda.device_count():
        raise UsageError(f"--device {device}: PyTorch finds {torch.cuda.device_count()} here")
    return kind, [int(number)] if colon else 1


def _device_name(engine: Engine) -> str:
    device = engine.trainer.strategy.root_device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)


def _versions() -> dict[str, str]:
    import anomalib
    import lightning

    modules = (anomalib, lightning, torch, torchvision, timm)
    found = {module.__name__: str(module.__version__) for module in modules}
    return {"python": platform.python_version(), **found}


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the libraries' words off both streams; what matters of them is in our errors."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with open(os.devnull, "w") as nowhere, warnings.catch_warnings():  # noqa: PTH123
        warnings.simplefilter("ignore")
        try:
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                yield
        finally:
            logging.disable(before)


@contextmanager
def _telling(recipe: Recipe, work: Path) -> Iterator[None]:
    """Turn what goes wrong in training into our errors, and Lightning's exit into an interrupt."""
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        # Lightning ends the process with 1 when it is interrupted, and ignores what comes then.
        if error.code != 1:
            raise
        signal.signal(signal.SIGINT, interrupt)
        raise KeyboardInterrupt from error
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(
            f"{recipe.name}: the memory of the device ran out; a smaller --size needs less"
        ) from error
    except OSError as error:
        if _within(error.filename, work):
            raise
        raise TrainingError(
            f"{recipe.name}: a file that it needs cannot be got: {error}; see 'kolektor docs train'"
        ) from error
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        told = str(error).strip().splitlines()
        raise TrainingError(
            f"{recipe.name} fails with --size {recipe.size[0]}x{recipe.size[1]} and "
            f"{dict(recipe.settings) or 'its own settings'}: {type(error).__name__}: "
            f"{told[0] if told else ''}"
        ) from error


def _within(path: object, folder: Path) -> bool:
    return isinstance(path, str) and Path(path).is_relative_to(folder)
