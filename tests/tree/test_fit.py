"""A fit and its size: what is asked for, the default, and what the manifest tells of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.tree.fit import AskedSize, Fit, FitName, check_size, fit_of, fit_options, make_fit

REAL = (500, 1240)
names = st.sampled_from(["stretch", "pad", "crop", "square"])


@pytest.mark.parametrize(
    ("name", "asked", "made"),
    [
        ("stretch", None, REAL),
        ("stretch", "source", None),
        ("pad", None, REAL),
        ("crop", (300, 200), (300, 200)),
        ("thirds", None, None),
        ("square", None, (500, 500)),
        ("square", (256, 256), (256, 256)),
    ],
)
def test_size_is_the_one_asked_for_or_the_default(
    name: FitName, asked: AskedSize, made: object
) -> None:
    assert make_fit(name, asked, default=REAL).size == made


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("thirds", (10, 10), "takes no --size"),
        ("thirds", "source", "takes no --size"),
        ("pad", "source", "needs a size"),
        ("crop", "source", "needs a size"),
        ("square", "source", "needs a size"),
        ("square", (500, 400), "makes squares"),
        ("square", (0, 0), "out of range"),
        ("pad", (20_000, 1), "out of range"),
    ],
)
def test_size_that_a_fit_does_not_take_is_refused(
    name: FitName, asked: AskedSize, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_fit(name, asked, default=REAL)


@given(names, st.tuples(st.integers(1, 900), st.integers(1, 900)), st.integers(0, 99))
def test_manifest_options_tell_the_fit(name: FitName, size: tuple[int, int], seed: int) -> None:
    made = make_fit(name, (size[0], size[0]) if name == "square" else size, default=REAL, seed=seed)
    assert fit_of(fit_options(made)) == made


def test_options_of_format_1_tell_of_stretch() -> None:
    assert fit_of({"size": [256, 640], "color": "rgb"}) == Fit("stretch", (256, 640))
    assert fit_of({"size": "source"}) == Fit("stretch")
    assert fit_of(fit_options(Fit("thirds"))) == Fit("thirds")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fit": "squash", "size": [1, 1]},
        {"fit": ["pad"], "size": [1, 1]},
        {"fit": "pad", "size": "source"},
        {"fit": "pad", "size": [1]},
        {"fit": "pad", "size": [1.5, 2]},
        {"fit": "pad", "size": [10**9, 1]},
        {"fit": "square", "size": [5, 5], "seed": "0"},
    ],
)
def test_options_that_tell_of_no_fit_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        fit_of(options)


@pytest.mark.parametrize(
    "size", [(1, 1), (500, 1240), (16_384, 1), (1, 16_384), (16_384, 2048), (2048, 16_384)]
)
def test_size_within_the_limits_is_returned(size: Size) -> None:
    assert check_size(size) == size


@pytest.mark.parametrize(
    "size",
    [
        *[(0, 5), (5, 0), (-1, 5), (5, -1), (-5, -5)],
        *[(16_385, 1), (1, 16_385), (16_384, 2049), (2049, 16_384), (5793, 5793)],
    ],
)
def test_size_out_of_the_limits_is_refused_by_name(size: Size) -> None:
    with pytest.raises(UsageError, match=f"size {size[0]}x{size[1]} is out of range"):
        check_size(size)
