"""Bilinear resizing: NumPy gives OpenCV's pixels, and those of every machine are the same."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging import bilinear as module
from kolektor_cli.imaging.bilinear import RESIZE_VARIABLE, bilinear, is_opencv_exact, resize
from kolektor_cli.imaging.geometry import Size, stretch
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.imaging.resample import transform_image, transform_mask

lengths = st.integers(1, 40) | st.integers(1, 700)
sizes = st.tuples(lengths, lengths)
channels = st.sampled_from([(), (3,)])
on_x86 = pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"}, reason="OpenCV rounds differently here"
)


def noise(size: Size, channels: tuple[int, ...] = (), seed: int = 0) -> Pixels:
    shape = (size[1], size[0], *channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def no_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every call of OpenCV's resize an error."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("OpenCV was asked to resize")

    monkeypatch.setattr(cv2, "resize", fail)


@on_x86
@settings(max_examples=300, deadline=None)
@given(sizes, sizes, channels, st.integers(0, 2**32), st.booleans())
@example((1, 1), (1, 1), (), 0, False)
@example((1, 1), (700, 3), (3,), 0, False)
@example((640, 480), (1, 1), (3,), 0, True)
@example((500, 1270), (500, 1240), (), 0, False)
@example((229, 637), (230, 630), (3,), 0, False)
@example((448, 448), (224, 224), (3,), 0, False)
@example((100, 100), (99, 99), (3,), 0, False)
def test_numpy_gives_the_pixels_of_opencv(
    source: Size, size: Size, channels: tuple[int, ...], seed: int, binary: bool
) -> None:
    pixels = noise(source, channels, seed)
    if binary:
        pixels = np.where(pixels > 127, np.uint8(255), np.uint8(0))
    wanted = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(bilinear(pixels, size), wanted, strict=True)


@pytest.mark.parametrize(
    ("size", "channels", "sha256"),
    [
        ((230, 630), (3,), "0fe742da5241e37923b5132ab282b84ce3965bfb3fdbae83f7b7e7dcd6241b37"),
        ((500, 1240), (), "f79d28f3750bd8087f14d72ff8da02ade469765988444071ef43bdec5ec454f6"),
        ((64, 90), (3,), "0c8b8eaa96965a0dec4f765619269b59537a3777c52adf9da0d53d01678e96f2"),
        ((7, 1300), (), "0a98dc870c35ce2f8c66540025e1b3261316808a7504ee575f99ebf052adc129"),
    ],
)
def test_pixels_are_the_same_on_every_machine(
    size: Size, channels: tuple[int, ...], sha256: str
) -> None:
    numbers = np.arange(229 * 637 * (3 if channels else 1), dtype=np.int64)
    pixels = (numbers * numbers // 7 % 251).astype(np.uint8).reshape(637, 229, *channels)
    for found in (bilinear(pixels, size), resize(pixels, size)):
        assert hashlib.sha256(found.tobytes()).hexdigest() == sha256


def test_source_may_be_a_view_and_stays_as_it_is() -> None:
    whole = noise((60, 80), (3,))
    before = whole.copy()
    view = whole[10:70, 5:50]
    np.testing.assert_array_equal(bilinear(view, (33, 90)), bilinear(view.copy(), (33, 90)))
    bilinear(view, (45, 60))[:] = 0
    np.testing.assert_array_equal(whole, before)


@on_x86
def test_self_check_passes_here() -> None:
    assert is_opencv_exact.__wrapped__()


def off_by_one(pixels: Pixels, size: Size, **_: int) -> Pixels:
    found = bilinear(pixels, size)
    found[size[1] // 2, size[0] // 2] ^= 1
    return found


def only_with_three_channels(pixels: Pixels, size: Size, **_: int) -> Pixels:
    return off_by_one(pixels, size) if pixels.ndim == 3 else bilinear(pixels, size)


@pytest.mark.parametrize("wrong", [off_by_one, only_with_three_channels])
def test_opencv_that_differs_is_not_used(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., Pixels]
) -> None:
    monkeypatch.setattr(cv2, "resize", wrong)
    assert not is_opencv_exact.__wrapped__()
    monkeypatch.setattr(module, "is_opencv_exact", is_opencv_exact.__wrapped__)
    for shape in ((), (3,)):
        pixels = noise((50, 60), shape)
        np.testing.assert_array_equal(resize(pixels, (40, 70)), bilinear(pixels, (40, 70)))


@pytest.mark.parametrize("machine", ["arm64", "aarch64", "ARM64", "ppc64le", ""])
@pytest.mark.usefixtures("no_opencv")
def test_other_processors_never_call_opencv(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    pixels = noise((50, 60), (3,))
    np.testing.assert_array_equal(resize(pixels, (49, 59)), bilinear(pixels, (49, 59)))


@pytest.mark.usefixtures("no_opencv")
def test_variable_turns_opencv_off_for_images_and_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RESIZE_VARIABLE, "numpy")
    geometry = stretch((50, 60), (40, 70))
    image, mask = noise((50, 60), (3,)), noise((50, 60)) // 200
    np.testing.assert_array_equal(transform_image(image, geometry), bilinear(image, (40, 70)))
    binary = np.where(mask > 0, np.uint8(255), np.uint8(0))
    wanted = bilinear(binary, (40, 70)) > 127
    assert (transform_mask(mask, geometry)[wanted] == 255).all()


@pytest.mark.parametrize("value", ["opencv", "NumPy", "1", " "])
def test_variable_with_another_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(RESIZE_VARIABLE, value)
    with pytest.raises(UsageError, match=f"KOLEKTOR_RESIZE is '{value}'; set it to 'numpy'"):
        resize(noise((5, 6)), (4, 7))


def test_threads_that_ask_at_once_get_the_same_pixels() -> None:
    is_opencv_exact.cache_clear()
    pixels = noise((229, 637), (3,))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: resize(pixels, (230, 630)), range(32)))
    for one in found:
        np.testing.assert_array_equal(one, bilinear(pixels, (230, 630)))
