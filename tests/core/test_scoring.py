"""Scoring as a whole: what figures have no meaning, whose maps they are, and what to doubt."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.scoring import save_curves, score
from kolektor_cli.errors import OutputError, SourceError, UsageError
from kolektor_cli.imaging.geometry import CenterCrop
from kolektor_cli.scoring.figures import FIGURES
from kolektor_cli.scoring.options import ScoreOptions
from kolektor_cli.scoring.results import Figure, ModelScores
from kolektor_cli.splits.split import SplitOptions
from kolektor_cli.tree.dataset import load_tree
from kolektor_cli.tree.truth import open_truth
from tests.scoring.cases import Case, pixels_of, random_case, write_case
from tests.scoring.test_maps import write_maps

Array = np.ndarray[Any, Any]


def perfect(tree: Path, split: str = "test") -> dict[str, Array]:
    return {i.path: i.mask() / 255.0 for i in load_tree(tree) if i.split == split}


def model_of(tree: Path, maps: Any, **options: Any) -> ModelScores:
    found = score(tree, maps, options=ScoreOptions(**options))
    assert found.findings == ()
    return found.models[0]


def codes(model: ModelScores) -> set[str]:
    return {note.code for note in model.notes}


def test_perfect_maps_of_a_converted_tree_have_perfect_figures(tree: Path) -> None:
    found = score(tree, perfect(tree))
    figures = {key: figure.value for key, figure in found.models[0].figures.items()}
    expected = {key: 0.0 if key == "image_fp_at_fn0" else 1.0 for key in FIGURES}
    assert figures == pytest.approx(expected, abs=1e-12)
    assert (found.good, found.defective) == (3, 3)
    assert found.fingerprint == open_truth(tree).fingerprint


def test_maps_may_be_named_by_a_link_to_the_tree(tree: Path, tmp_path: Path) -> None:
    """A code with a fixed list of categories is given a link of such a name."""
    linked = tmp_path / "metal_nut"
    linked.symlink_to(tree)
    for path, values in perfect(tree).items():
        file = tmp_path / "maps" / "metal_nut" / Path(path).with_suffix(".npy")
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, values)
    assert score(linked, tmp_path / "maps").ok
    assert not score(tree, tmp_path / "maps").ok


def test_tree_without_defects_has_no_figures_and_says_why(tmp_path: Path) -> None:
    masks = {f"test/good/{n}.png": np.zeros((4, 4), np.bool_) for n in range(3)}
    case = write_case(tmp_path, {path: np.eye(4) for path in masks}, masks)
    model = model_of(case.tree, case.maps)
    assert set(model.figures.values()) == {Figure(None, "no defect in the test set")}
    assert not model.regions
    assert not model.by_size


def test_tree_without_good_images_has_figures_of_pixels_alone(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7, good=0)
    model = model_of(case.tree, case.maps)
    for key, figure in model.figures.items():
        if key.startswith("image") or key == "aupimo":
            assert figure == Figure(None, "no good image in the test set")
        else:
            assert figure.value is not None


def test_padding_counts_for_nothing(raw: Path, tmp_path: Path) -> None:
    options = ConvertOptions(fit="pad", size=(80, 60))
    tree = convert(raw, tmp_path, options).target
    maps = perfect(tree)
    for image in open_truth(tree).images:
        left, top, width, height = image.inside
        outside = np.ones((60, 80), np.bool_)
        outside[top : top + height, left : left + width] = False
        assert outside.any()
        maps[image.path][outside] = 9
    figures = model_of(tree, maps).figures
    assert [figures[key].value for key in ("pixel_auroc", "image_auroc")] == [1, 1]


def test_maps_of_another_size_are_resized_with_a_note_or_refused(tree: Path) -> None:
    maps = {path: scores[::2, ::2] for path, scores in perfect(tree).items()}
    assert "resized" in codes(model_of(tree, maps))
    found = score(tree, maps, options=ScoreOptions(exact_size=True))
    assert {finding.code for finding in found.findings} == {"map-size"}
    assert len(found.findings) == len(maps)


def test_maps_of_a_crop_lie_in_its_window_and_the_rest_ranks_lowest(tmp_path: Path) -> None:
    mask = np.zeros((40, 20), np.bool_)
    mask[20, 10] = mask[0, 0] = True  # one defect inside the crop, one outside
    masks = {"test/defect/0.png": mask, "test/good/0.png": np.zeros_like(mask)}
    inner = mask[12:28, 2:18].astype(float)
    maps = {"test/defect/0.png": inner, "test/good/0.png": 0 * inner}
    case = write_case(tmp_path, maps, masks)
    model = model_of(case.tree, maps, crop=CenterCrop("test", 10, 8))
    assert model.unseen == 0.5
    assert {"unseen", "cropped"} <= codes(model)
    # The defect outside ties with all good pixels outside, which is most of them.
    seen = 2 * 16 * 16 - 1
    outside = 2 * 800 - 2 - seen
    expected = (1 + (outside / 2) / (seen + outside)) / 2
    assert model.figures["pixel_auroc"].value == pytest.approx(expected, abs=1e-12)
    wrong = score(case.tree, masks, options=ScoreOptions(crop=CenterCrop("test", 10, 8)))
    assert [finding.code for finding in wrong.findings] == 2 * ["map-size"]


def test_crop_of_a_consumer_is_taken(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7, shape=(30, 30))
    found = score(case.tree, case.maps, consumer="patchcore")
    asked = ScoreOptions(crop=CenterCrop("any", 256, 224))
    assert found.models[0].figures == score(case.tree, case.maps, options=asked).models[0].figures
    with pytest.raises(UsageError, match="contradict"):
        score(case.tree, case.maps, options=asked, consumer="patchcore")


@pytest.mark.parametrize("asked", [None, "max", "top:1", "top:5", "top:99999"])
def test_image_scores_are_as_asked(tmp_path: Path, asked: str | None) -> None:
    case = random_case(tmp_path, 8)
    top = int(asked.removeprefix("top:")) if asked and asked != "max" else 1
    for image in model_of(case.tree, case.maps, image_score=asked).images:
        expected = np.sort(case.maps[image.path].ravel())[-top:].mean()
        assert image.score == pytest.approx(expected, rel=1e-12)


def test_image_scores_come_from_a_csv_file(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    file = tmp_path / "scores.csv"
    rows = [f"part/{path},{number}\n" for number, path in enumerate(sorted(case.maps))]
    file.write_text("\ufeffpath,score\n" + "".join(rows))
    [model] = score(case.tree, case.maps, image_scores=file).models
    assert [image.score for image in model.images] == list(range(6))
    assert model.image_score == "from scores.csv"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("", "score-missing"),
        ("test/good/000.png,1\ntest/good/000,2\n", "score-twice"),
        ("test/good/777.png,1\n", "score-left-over"),
        ("test/good/000.png,nan\n", "not-finite"),
        ("test/good/000.png,much\n", "not-finite"),
        ("test/good/000.png,1_0\n", "not-finite"),
    ],
)
def test_wrong_image_scores_are_named(tmp_path: Path, lines: str, code: str) -> None:
    case = random_case(tmp_path, 7)
    file = tmp_path / "scores.csv"
    file.write_text(f"path,score\n{lines}")
    found = score(case.tree, case.maps, image_scores=file)
    assert found.models == ()
    assert code in {finding.code for finding in found.findings}


def test_file_without_image_scores_is_refused(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    file = tmp_path / "scores.csv"
    file.write_text("path;score\n")
    with pytest.raises(SourceError, match="no columns path and score"):
        score(case.tree, case.maps, image_scores=file)
    for text, part in (
        ("path,score\ntest/good/003.png,3,7\n", "line 2: has more or fewer cells"),
        ("path,score\ntest/good/003.png\n", "line 2: has more or fewer cells"),
        ('path,score\n"test,1\n', "is damaged CSV"),
        ("path,score\n" + "x" * 200_000 + ",1\n", "is damaged CSV"),
    ):
        file.write_text(text)
        with pytest.raises(SourceError, match=part):
            score(case.tree, case.maps, image_scores=file)
    file.write_bytes("path,score\n".encode("utf-16"))
    with pytest.raises(SourceError, match="is not text in UTF-8"):
        score(case.tree, case.maps, image_scores=file)
    with pytest.raises(SourceError, match="no such file"):
        score(case.tree, case.maps, image_scores=tmp_path / "none.csv")
    with pytest.raises(SourceError, match="is not a file"):
        score(case.tree, case.maps, image_scores=tmp_path)
    with pytest.raises(UsageError, match="for one folder"):
        score(case.tree, [case.maps, case.maps], image_scores=file)


def test_segmentation_at_a_given_threshold(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    labels, scores = pixels_of(case)
    found = model_of(case.tree, case.maps, threshold=0.5).segmentation
    assert found is not None
    marked = scores >= 0.5
    both = np.sum(labels & marked)
    assert found.precision == pytest.approx(both / marked.sum(), abs=1e-12)
    assert found.recall == pytest.approx(both / labels.sum(), abs=1e-12)
    assert found.f1 == pytest.approx(2 * both / (marked.sum() + labels.sum()), abs=1e-12)
    nothing = model_of(case.tree, case.maps, threshold=1e9).segmentation
    assert nothing is not None
    assert (nothing.precision, nothing.recall, nothing.f1) == (None, 0, 0)


def test_threshold_of_validation_images_is_their_mean_and_three_deviations(
    raw: Path, tmp_path: Path
) -> None:
    options = ConvertOptions(size=(20, 30), split=SplitOptions(val=0.4))
    tree = convert(raw, tmp_path, options).target
    random = np.random.default_rng(0)
    maps = {path: random.normal(size=(30, 20)) for path in [*perfect(tree), *perfect(tree, "val")]}
    found = model_of(tree, maps, threshold="val").segmentation
    values = np.concatenate([maps[path].ravel() for path in perfect(tree, "val")])
    assert found is not None
    assert found.threshold == pytest.approx(values.mean() + 3 * values.std(), abs=1e-12)
    missing = score(tree, perfect(tree), options=ScoreOptions(threshold="val"))
    assert "map-missing" in {finding.code for finding in missing.findings}


def test_wrong_maps_of_validation_images_are_named(raw: Path, tmp_path: Path) -> None:
    options = ConvertOptions(size=(20, 30), split=SplitOptions(val=0.4))
    tree = convert(raw, tmp_path, options).target
    maps = {**perfect(tree), **perfect(tree, "val")}
    first, second = (path for path in maps if path.startswith("validation"))
    maps[first] = np.full((30, 20), np.nan)
    maps[second] = np.zeros((3, 2, 5))
    found = score(tree, maps, options=ScoreOptions(threshold="val"))
    assert {(f.code, f.path) for f in found.findings} == {
        ("not-finite", first),
        ("not-a-map", second),
    }
    maps[first] = maps[second] = np.eye(30, 20) * 1e200
    with pytest.raises(OutputError, match="too large for a standard deviation"):
        score(tree, maps, options=ScoreOptions(threshold="val"))


def test_threshold_of_validation_images_does_not_cancel(raw: Path, tmp_path: Path) -> None:
    options = ConvertOptions(size=(20, 30), split=SplitOptions(val=0.4))
    tree = convert(raw, tmp_path, options).target
    random = np.random.default_rng(0)
    maps = {p: 1e8 + random.normal(size=(30, 20)) for p in [*perfect(tree), *perfect(tree, "val")]}
    found = model_of(tree, maps, threshold="val").segmentation
    values = np.concatenate([maps[path].ravel() for path in perfect(tree, "val")])
    assert found is not None
    assert found.threshold - 1e8 == pytest.approx(
        (values - 1e8).mean() + 3 * values.std(), abs=1e-6
    )


def test_threshold_is_not_rounded_to_the_maps_type(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    maps = {path: np.full((14, 11), 0.7, np.float32) for path in case.maps}
    # In 32 bits, 0.7 is a little less than in 64.
    for threshold, recall in ((0.7, 0.0), (float(np.float32(0.7)), 1.0)):
        found = model_of(case.tree, maps, threshold=threshold).segmentation
        assert found is not None
        assert found.recall == recall


def test_transposed_maps_are_an_error(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    found = score(case.tree, {path: scores.T for path, scores in case.maps.items()})
    assert len(found.findings) == len(case.maps)
    assert "it is transposed" in found.findings[0].message


def test_tree_of_defects_alone_has_no_figures_of_pixels(tmp_path: Path) -> None:
    masks = {f"test/defect/{n}.png": np.ones((4, 4), np.bool_) for n in range(2)}
    case = write_case(tmp_path, {path: np.eye(4) for path in masks}, masks)
    model = model_of(case.tree, case.maps, threshold=0.5)
    assert set(model.figures.values()) == {Figure(None, "no good pixel in the test set")}
    assert model.regions == ()
    assert model.segmentation is None


def test_threshold_that_takes_in_what_no_map_shows_is_none(tmp_path: Path) -> None:
    mask = np.zeros((40, 20), np.bool_)
    mask[:38] = True
    masks = {"test/defect/0.png": mask, "test/good/0.png": np.zeros((4, 4), np.bool_)}
    maps = {"test/defect/0.png": np.zeros((4, 4)), "test/good/0.png": np.ones((4, 4))}
    case = write_case(tmp_path, maps, masks)
    model = model_of(case.tree, maps, crop=CenterCrop("test", 10, 4))
    assert model.pixel_threshold is None


def test_linked_maps_are_found(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    maps = write_maps(tmp_path / "maps", case)
    linked = tmp_path / "linked/test/good"
    shutil.copytree(maps, tmp_path / "linked")
    for file in linked.iterdir():
        file.unlink()
        file.symlink_to(maps / "test/good" / file.name)
    assert score(case.tree, tmp_path / "linked").models[0].figures == (
        score(case.tree, maps).models[0].figures
    )


def test_threshold_of_a_tree_without_validation_images_is_refused(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    with pytest.raises(UsageError, match="no validation images"):
        score(case.tree, case.maps, options=ScoreOptions(threshold="val"))


def test_doubtful_maps_are_told(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7, shape=(40, 40))
    plain = {
        path: mask + 0.001 * scores
        for (path, scores), mask in zip(case.maps.items(), case.masks.values(), strict=True)
    }
    assert codes(model_of(case.tree, plain)) == set()
    inverted = {path: -scores for path, scores in plain.items()}
    assert "inverted" in codes(model_of(case.tree, inverted))
    normalised = {path: scores / scores.max() for path, scores in plain.items()}
    assert "normalised" in codes(model_of(case.tree, normalised))
    rounded = {path: np.rint(10 * scores) for path, scores in plain.items()}
    assert "few-values" in codes(model_of(case.tree, rounded))
    constant = {**plain, "test/good/000.png": np.zeros((40, 40))}
    [note] = model_of(case.tree, constant).notes
    assert (note.code, note.path) == ("constant-map", "test/good/000.png")


def test_maps_are_bound_to_their_tree(tree: Path, tmp_path: Path) -> None:
    case = Case(tree, perfect(tree), {})
    maps = write_maps(tmp_path / "maps", case)
    assert "not-bound" in codes(score(tree, maps).models[0])
    assert "not-bound" not in codes(score(tree, maps, bind=True).models[0])
    written = json.loads((maps / "kolektor.json").read_text())
    assert written["fingerprint"] == open_truth(tree).fingerprint
    bound = {**written, "model": "PatchCore", "backbone": "wide_resnet50_2"}
    (maps / "kolektor.json").write_text(json.dumps(bound))
    [model] = score(tree, maps, bind=True).models
    assert "not-bound" not in codes(model)
    assert model.binding == bound


def test_maps_of_another_tree_are_refused(tree: Path, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps", Case(tree, perfect(tree), {}))
    (maps / "kolektor.json").write_text('{"fingerprint": "0123"}')
    [finding] = score(tree, maps).findings
    assert finding.code == "other-tree"
    assert "0123" in finding.message
    for content, part in (
        ("{", "is not JSON"),
        ('{"fingerprint": "0", "loss": NaN}', "is not JSON"),
        ("[]", "has no fingerprint"),
    ):
        (maps / "kolektor.json").write_text(content)
        with pytest.raises(OutputError, match=part):
            score(tree, maps)


def test_maps_cannot_be_bound_to_a_tree_without_a_manifest(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    maps = write_maps(tmp_path / "maps", case)
    with pytest.raises(OutputError, match="has no manifest"):
        score(case.tree, maps, bind=True)
    with pytest.raises(UsageError, match="maps in memory"):
        score(case.tree, case.maps, bind=True)


def test_models_have_the_names_of_their_folders(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    one = write_maps(tmp_path / "a/run", case)
    other = write_maps(tmp_path / "b/run", case)
    third = write_maps(tmp_path / "third", case)
    models = score(case.tree, [one, other, third]).models
    assert [model.name for model in models] == [str(one), str(other), "third"]


def test_findings_of_several_models_name_theirs(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    whole = write_maps(tmp_path / "whole", case)
    part = write_maps(tmp_path / "some", case)
    (part / "test/good/000.npy").unlink()
    found = score(case.tree, [whole, part])
    assert [finding.path for finding in found.findings] == ["some: test/good/000.png"]


def test_map_that_changes_between_the_readings_is_an_error(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    calls: dict[str, int] = {}

    def maps(path: str) -> Array:
        calls[path] = calls.get(path, 0) + 1
        return case.maps[path] + calls[path]

    with pytest.raises(OutputError, match="changed while it was scored"):
        score(case.tree, maps, jobs=1)


def test_result_is_the_same_from_any_number_of_threads(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    options = ScoreOptions(draws=20)
    one, many = (score(case.tree, case.maps, options=options, jobs=jobs) for jobs in (1, 8))
    assert one == many


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (ScoreOptions(image_score="mean"), "neither 'max' nor 'top:N'"),
        (ScoreOptions(image_score="top:0"), "neither 'max' nor 'top:N'"),
        (ScoreOptions(draws=-1), "not a whole number"),
        (ScoreOptions(exact_size=True, crop=CenterCrop("a", 2, 2)), "contradict"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options: ScoreOptions, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        score(tmp_path, {}, options=options)


def test_curves_are_written_as_csv_and_nothing_is_overwritten(tmp_path: Path) -> None:
    case = random_case(tmp_path, 7)
    found = score(case.tree, case.maps)
    files = save_curves(found, tmp_path / "curves")
    names = {"maps_image_roc", "maps_pixel_roc", "maps_pixel_pr", "maps_pro"}
    assert {file.stem for file in files} == names
    labels, scores = pixels_of(case)
    with (tmp_path / "curves/maps_pixel_roc.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0].values()] == ["inf", "0.0", "0.0"]
    assert [*rows[-1].values()] == ["-inf", "1.0", "1.0"]
    for row in rows:
        marked = scores >= float(row["threshold"])
        assert float(row["false-positive rate"]) == pytest.approx(np.mean(marked[~labels]))
        assert float(row["true-positive rate"]) == pytest.approx(np.mean(marked[labels]))
    with pytest.raises(OutputError, match="exists already"):
        save_curves(found, tmp_path / "curves")


def test_real_tree_is_scored(real: Path, tmp_path: Path) -> None:
    tree = convert(real, tmp_path / "data").target
    found = score(tree, lambda path: load_tree(tree)[path].mask() / 255.0)
    assert (found.good, found.defective, found.regions, found.items) == (52, 52, 55, 47)
    assert found.models[0].figures["aupro_0.3"].value == pytest.approx(1, abs=1e-12)
    assert [group.regions for group in found.models[0].by_size] == [19, 18, 18]
    assert found.leaks == ("47 of 47 physical items have images in training and in test",)


def test_items_are_the_physical_ones_of_the_manifest(tree: Path) -> None:
    [model] = score(tree, perfect(tree)).models
    items = {image.item for image in open_truth(tree).images}
    assert {group.name for group in model.by_item} == items
    assert sum(group.images for group in model.by_item) == 6
    moved = tree.parent / "copy"
    shutil.copytree(tree, moved)
    (moved / "manifest.json").unlink()
    [plain] = score(moved, perfect(moved)).models
    assert {group.name for group in plain.by_item} == {image.path for image in plain.images}
