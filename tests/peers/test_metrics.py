"""Anomalib's own metrics on maps that were trained: equal to ours where the definitions are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolektor_cli.consumers.training import TrainOptions
from kolektor_cli.core.scoring import score
from kolektor_cli.core.training import train
from kolektor_cli.scoring.formats import read_map
from kolektor_cli.tree.dataset import load_tree


@pytest.fixture(scope="module")
def case(trees: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Hold a tree and the maps of a model, in [0, 1]: of others torchmetrics takes the sigmoid."""
    runs = tmp_path_factory.mktemp("runs")
    options = TrainOptions(
        size=(64, 160), device="cpu", settings={"pre_trained": False, "backbone": "resnet18"}
    )
    return trees / "plain", train(trees / "plain", "padim", runs, options=options, jobs=0).maps


def at_full_size(tree: Path, maps: Path) -> tuple[Any, Any]:
    """Return the maps at the masks' size, scaled to [0, 1], and the masks; both N x H x W."""
    import torch
    from torch.nn.functional import interpolate

    images = [image for image in load_tree(tree) if image.split == "test"]
    masks = torch.from_numpy(np.stack([image.mask() > 0 for image in images]))
    read = []
    for image in images:
        file = maps / Path(image.path).with_suffix(".tiff")
        read.append(read_map(file.read_bytes(), file.name)[0])
    values = torch.from_numpy(np.stack(read)).double()[:, None]
    full = interpolate(values, size=masks.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return (full - full.min()) / (full.max() - full.min()), masks.long()


def test_aupro_and_auroc_agree_with_anomalibs(case: tuple[Path, Path]) -> None:
    from anomalib.metrics.aupro import _AUPRO
    from torchmetrics.functional.classification import binary_auroc

    tree, maps = case
    figures = score(tree, maps).models[0].figures
    values, masks = at_full_size(tree, maps)
    theirs = _AUPRO(fpr_limit=0.3)
    theirs.update(values, masks)
    assert figures["aupro_0.3"].value == pytest.approx(float(theirs.compute()), abs=1e-4)
    auroc = binary_auroc(values.reshape(-1), masks.reshape(-1))
    assert figures["pixel_auroc"].value == pytest.approx(float(auroc), abs=1e-5)
