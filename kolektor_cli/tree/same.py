"""Pictures that are in training and in test, by what their pixels are known by."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping


def is_train(path: str) -> bool:
    """Return whether an image is one that a model sees before the test."""
    return path.startswith(("train/", "validation/"))


def is_test(path: str) -> bool:
    """Return whether an image is one that a model is tested with."""
    return path.startswith("test/")


def same_pictures(pictures: Mapping[str, Hashable]) -> Iterator[tuple[str, str]]:
    """Yield the paths (trained, tested) of images with equal pixels.

    `pictures` are the images by path, each with what is equal for equal pixels alone, such as size
    and hash. Of several that were trained on, the first is told.
    """
    trained: dict[Hashable, str] = {}
    for path, known_by in pictures.items():
        if is_train(path):
            trained.setdefault(known_by, path)
    for path, known_by in pictures.items():
        if is_test(path) and known_by in trained:
            yield trained[known_by], path
