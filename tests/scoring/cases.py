"""Small trees with maps in memory, and figures of them by definition, threshold by threshold."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from tests.conftest import write_png

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """A tree, and the map and the mask of each of its test images by path."""

    tree: Path
    maps: dict[str, Array]
    masks: dict[str, Array]

    def labels(self) -> list[bool]:
        return [bool(mask.any()) for mask in self.masks.values()]


def write_case(folder: Path, maps: dict[str, Array], masks: dict[str, Array]) -> Case:
    """Write a tree with black images of the masks' sizes; a mask without marks is of a good one."""
    tree = folder / "part"
    write_png(tree / "train/good/000.png", np.zeros((4, 4, 3), np.uint8))
    for path, mask in masks.items():
        write_png(tree / path, np.zeros((*mask.shape, 3), np.uint8))
        if mask.any():
            name = path.replace("test/", "ground_truth/").replace(".png", "_mask.png")
            write_png(tree / name, np.where(mask, np.uint8(255), np.uint8(0)))
    return Case(tree, maps, masks)


def random_case(
    folder: Path,
    seed: int,
    *,
    good: int = 3,
    defective: int = 3,
    shape: tuple[int, int] = (14, 11),
) -> Case:
    """Draw masks with a few blobs, and maps that are noise around them, of a kind by the seed."""
    random = np.random.default_rng(seed)
    kind = seed % 5
    maps, masks = {}, {}
    for number in range(good + defective):
        is_good = number < good
        height, width = shape if kind else (shape[0] + number, shape[1])
        mask = np.zeros((height, width), np.bool_)
        while not is_good and not mask.any():
            mask |= random.random(mask.shape) < random.uniform(0.02, 0.2)
        strength = random.uniform(0, 2)
        scores: Array = random.normal(size=mask.shape) + strength * mask
        if kind == 1:
            scores = np.rint(2 * scores)
        elif kind == 2:
            scores = scores.astype(np.float32)
        elif kind == 3:
            scores = np.exp(20 * scores)
        elif kind == 4:
            scores = np.where(scores > 1, 1.0, 0.0)
        name = "good" if is_good else ("scratch", "dent")[number % 2]
        path = f"test/{name}/{number:03}.png"
        maps[path], masks[path] = scores, mask
    return write_case(folder, maps, masks)


def pixels_of(case: Case) -> tuple[Array, Array]:
    labels = np.concatenate([case.masks[path].ravel() for path in case.maps])
    scores = np.concatenate([case.maps[path].ravel() for path in case.maps])
    return labels, scores


def best_f1(labels: Any, scores: Any) -> float:
    precision, recall, _ = precision_recall_curve(labels, scores)
    total = precision + recall
    return float(np.max(2 * precision * recall / np.where(total > 0, total, 1)))


def by_scikit(labels: Any, scores: Any) -> dict[str, float]:
    return {
        "auroc": float(roc_auc_score(labels, scores)),
        "ap": float(average_precision_score(labels, scores)),
        "f1_max": best_f1(labels, scores),
    }


def regions_of(mask: Array) -> list[Array]:
    number, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return [labels == label for label in range(1, number)]


def shares_from(scores: Array, thresholds: Array) -> Array:
    """The share of the scores that reach each threshold."""
    return np.asarray(np.mean(scores[None] >= thresholds[:, None], axis=1))


def aupro_by_threshold(case: Case, limit: float) -> float:
    labels, scores = pixels_of(case)
    thresholds = np.unique(scores)[::-1]
    rates = [0.0, *shares_from(scores[~labels], thresholds)]
    regions = [case.maps[p][region] for p, m in case.masks.items() for region in regions_of(m)]
    overlaps = [0.0, *np.mean([shares_from(region, thresholds) for region in regions], axis=0)]
    total = 0.0
    for (x0, y0), (x1, y1) in pairwise(zip(rates, overlaps, strict=True)):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            height = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
            total += (end - x0) * (y0 + height) / 2
    return float(total / limit)


def aupimo_by_threshold(case: Case, low: float, high: float) -> list[float]:
    """Return the AUPIMO of each defective image, along its curve over all thresholds."""
    clean = [scores for path, scores in case.maps.items() if not case.masks[path].any()]
    found = []
    for path, mask in sorted(case.masks.items()):
        if not mask.any():
            continue
        hits = case.maps[path][mask]
        values = np.unique(np.concatenate([hits, *(scores.ravel() for scores in clean)]))[::-1]
        total, x0, y0 = 0.0, 0.0, 0.0
        for value in values:
            x1 = float(np.mean([np.mean(scores >= value) for scores in clean]))
            y1 = float(np.mean(hits >= value))
            start, end = np.clip([x0, x1], low, high)
            if x1 > x0 and end > start:
                slope = (y1 - y0) / (x1 - x0)
                total += (y0 - slope * x0) * np.log(end / start) + slope * (end - start)
            x0, y0 = x1, y1
            if x0 > high:
                break
        found.append(total / float(np.log(high / low)))
    return found
