"""Synthetic datasets to try things on."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.raw.releases import ReleaseLayout
from kolektor_cli.raw.synthetic import SyntheticCounts, write_synthetic


def synthesize(
    out: str | os.PathLike[str],
    *,
    layout: ReleaseLayout = "kolektorsdd",
    items: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> SyntheticCounts:
    """Write a synthetic dataset with the structure of a real one to the new folder `out`.

    Parameters
    ----------
    out
        The folder to make.
    layout
        The dataset to be like: ``kolektorsdd``, ``boxes`` or ``kolektorsdd2``.
    items
        Number of item folders, or of images of ``kolektorsdd2``; by default the real number.
    seed
        One seed gives the same files each time.
    jobs
        Number of threads; by default one a processor.
    progress
        Called with step, number done and total.

    Raises
    ------
    OutputError
        `out` exists, or cannot be written.
    UsageError
        Too few images are asked for to have what a conversion needs.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> kolektor.synthesize("small", items=2)
    SyntheticCounts(items=2, good=14, defective=2)
    """
    return write_synthetic(
        Path(out),
        layout=layout,
        items=items,
        seed=seed,
        jobs=jobs,
        progress=partial(progress, "drawing"),
    )
