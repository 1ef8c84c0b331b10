"""The figures are exact: those of scikit-learn, and those by definition over every threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolektor_cli.core.scoring import score
from kolektor_cli.scoring.figures import area_to, log_area_between
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.scoring.results import ModelScores
from tests.scoring.cases import (
    Case,
    aupimo_by_threshold,
    aupro_by_threshold,
    by_scikit,
    pixels_of,
    random_case,
    write_case,
)

close = pytest.approx
SEEDS = range(60)


def scored(case: Case, options: ScoreOptions | None = None) -> ModelScores:
    found = score(case.tree, case.maps, options=options)
    assert found.findings == ()
    [model] = found.models
    return model


def values(model: ModelScores) -> dict[str, float | None]:
    return {key: figure.value for key, figure in model.figures.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_of_images_and_pixels_are_those_of_scikit_learn(tmp_path: Path, seed: int) -> None:
    case = random_case(tmp_path, seed)
    found = values(scored(case))
    highest = [float(scores.max()) for scores in case.maps.values()]
    for key, value in by_scikit(case.labels(), highest).items():
        assert found[f"image_{key}"] == close(value, abs=1e-12)
    for key, value in by_scikit(*pixels_of(case)).items():
        assert found[f"pixel_{key}"] == close(value, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_aupro_is_that_over_every_threshold(tmp_path: Path, seed: int) -> None:
    case = random_case(tmp_path, seed)
    found = values(scored(case))
    for limit in (0.3, 0.05):
        expected = aupro_by_threshold(case, limit)
        assert found[f"aupro_{limit}"] == close(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_aupimo_is_that_over_every_threshold(tmp_path: Path, seed: int) -> None:
    # So many good pixels that the rates between the bounds are reached.
    case = random_case(tmp_path, seed, good=4, defective=2, shape=(200, 100))
    case.maps.update({p: s + 3 * case.masks[p] for p, s in case.maps.items()})
    model = scored(case)
    expected = aupimo_by_threshold(case, 1e-5, 1e-4)
    assert values(model)["aupimo"] == close(np.mean(expected), abs=1e-12)
    assert [i.aupimo for i in model.images if i.aupimo is not None] == close(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_parts_of_a_mean_give_the_mean(tmp_path: Path, seed: int) -> None:
    model = scored(random_case(tmp_path, seed))
    found = values(model)
    for key, parts in (
        ("aupro_0.3", [region.pro_03 for region in model.regions]),
        ("aupro_0.05", [region.pro_005 for region in model.regions]),
    ):
        assert found[key] == close(np.mean(parts), abs=1e-12)
    for groups in (model.by_size, model.by_item):
        weighted = sum(group.regions * (group.aupro or 0) for group in groups)
        assert weighted / len(model.regions) == close(found["aupro_0.3"], abs=1e-12)


def test_false_alarms_at_no_miss_are_the_good_images_from_the_lowest_defective_one(
    tmp_path: Path,
) -> None:
    mask = np.array([[True, False]])
    masks = {
        **{f"test/good/{n}.png": ~mask & mask for n in range(4)},
        **{f"test/defect/{n}.png": mask for n in range(2)},
    }
    highest = dict(zip(masks, (1.0, 2.0, 3.0, 4.0, 3.0, 9.0), strict=True))
    maps = {path: np.array([[value, 0.0]]) for path, value in highest.items()}
    model = scored(write_case(tmp_path, maps, masks))
    # The good image with the very score of the lowest defective one is a false alarm, too.
    assert values(model)["image_fp_at_fn0"] == 2


def test_perfect_maps_have_perfect_figures(tmp_path: Path) -> None:
    case = random_case(tmp_path, 1)
    perfect = {path: mask.astype(np.float32) for path, mask in case.masks.items()}
    found = values(scored(Case(case.tree, perfect, case.masks)))
    assert found.pop("image_fp_at_fn0") == 0
    assert set(found.values()) == {1.0}


def test_thresholds_of_the_f1_max_give_it(tmp_path: Path) -> None:
    for seed in range(10):
        case = random_case(tmp_path / str(seed), seed)
        model = scored(case)
        labels, scores = pixels_of(case)
        marked = scores >= model.pixel_threshold
        f1 = 2 * np.sum(labels & marked) / (np.sum(labels) + np.sum(marked))
        assert values(model)["pixel_f1_max"] == close(f1, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([np.exp, np.cbrt, lambda x: 3 * x - 7]))
def test_monotone_transforms_change_thresholds_alone(
    tmp_path_factory: pytest.TempPathFactory, seed: int, transform: np.ufunc
) -> None:
    case = random_case(tmp_path_factory.mktemp("case"), 5 * seed + seed % 2)
    other = {path: transform(scores) for path, scores in case.maps.items()}
    before, after = scored(case), scored(Case(case.tree, other, case.masks))
    assert values(after) == {key: close(value, abs=1e-12) for key, value in values(before).items()}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_another_perfect_region_never_lowers_aupro(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("case")
    case = random_case(folder, seed)
    mask = np.zeros((5, 5), np.bool_)
    mask[2, 2] = True
    top = max(float(scores.max()) for scores in case.maps.values()) + 1
    path = "test/dent/999.png"
    scores = np.where(mask, top, min(float(s.min()) for s in case.maps.values()))
    more = write_case(folder / "more", {**case.maps, path: scores}, {**case.masks, path: mask})
    for key in ("aupro_0.3", "aupro_0.05"):
        before, after = values(scored(case))[key], values(scored(more))[key]
        assert after is not None
        assert before is not None
        assert after >= before - 1e-12


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_area_of_a_step_is_that_of_its_curve(one: float, other: float, limit: float) -> None:
    before, after = sorted((one, other))
    x = np.linspace(0, limit, 20_001)
    rise = after - before
    y = np.clip((x - before) / rise, 0, 1) if rise > 1e-3 else (x >= before).astype(float)
    expected = np.sum((y[1:] + y[:-1]) / 2) * (limit / 20_000)
    found = float(area_to(limit, np.array(before), np.array(after)))
    assert found == close(float(expected), abs=2e-3)


def test_log_area_of_a_step_that_starts_at_no_false_positive() -> None:
    zero, one = np.array(0.0), np.array(1.0)
    assert float(log_area_between(1e-5, 1e-4, zero, zero)) == close(np.log(10))
    assert float(log_area_between(1e-5, 1e-4, one, one)) == 0
    # A straight line from 0 to the upper bound: its height is the rate's share of that bound.
    line = float(log_area_between(1e-5, 1e-4, zero, np.array(1e-4)))
    assert line == close((1e-4 - 1e-5) / 1e-4)
