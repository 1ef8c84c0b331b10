"""Turns the raw Kolektor datasets into verified, reproducible MVTec-AD-style datasets.

>>> from pathlib import Path
>>> import kolektor_cli as kolektor
>>> with kolektor.open_source(Path("KolektorSDD.zip")) as source:  # doctest: +SKIP
...     scan = kolektor.scan_source(source)
...     split = kolektor.balanced(scan.samples, scan.duplicates, seed=0)
...     fit = kolektor.make_fit("stretch", default=(500, 1240))
...     fitted = kolektor.fit_samples(fit, source, scan.samples)
...     plan = kolektor.make_plan(scan, split, fitted, category="metal")
...     manifest = kolektor.write_tree(plan, source, Path("data"))
>>> kolektor.verify_tree(Path("data/metal")).ok  # doctest: +SKIP
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kolektor_cli.cluster import dask_cluster
    from kolektor_cli.convert import (
        check_output,
        clear_unfinished,
        drafting,
        write_beside,
        write_tree,
    )
    from kolektor_cli.drafts import Drafts
    from kolektor_cli.errors import KolektorError
    from kolektor_cli.fits import count_images, fit_samples, make_fit
    from kolektor_cli.geometry import box_to_output, box_to_source, to_output, to_source
    from kolektor_cli.layout import make_plan
    from kolektor_cli.preview import preview_fit
    from kolektor_cli.recognition import recognise
    from kolektor_cli.records import (
        Duplicate,
        Finding,
        Fit,
        Fitted,
        Geometry,
        Leak,
        Manifest,
        Plan,
        Preview,
        Report,
        Sample,
        Scan,
        Split,
    )
    from kolektor_cli.releases import Release
    from kolektor_cli.sample import write_sample
    from kolektor_cli.scan import require_usable, scan_source
    from kolektor_cli.sidefiles import side_files
    from kolektor_cli.source import Source, open_source
    from kolektor_cli.split import (
        PROTOCOLS,
        anomalib,
        balanced,
        count_samples,
        find_leaks,
        grouped,
        make_split,
        official,
        protocol_options,
        vicos,
    )
    from kolektor_cli.splitfiles import read_split, split_rows
    from kolektor_cli.tree import find_categories
    from kolektor_cli.verify import verify_tree

__all__ = [
    "PROTOCOLS",
    "Drafts",
    "Duplicate",
    "Finding",
    "Fit",
    "Fitted",
    "Geometry",
    "KolektorError",
    "Leak",
    "Manifest",
    "Plan",
    "Preview",
    "Release",
    "Report",
    "Sample",
    "Scan",
    "Source",
    "Split",
    "__version__",
    "anomalib",
    "balanced",
    "box_to_output",
    "box_to_source",
    "check_output",
    "clear_unfinished",
    "count_images",
    "count_samples",
    "dask_cluster",
    "drafting",
    "find_categories",
    "find_leaks",
    "fit_samples",
    "grouped",
    "make_fit",
    "make_plan",
    "make_split",
    "official",
    "open_source",
    "preview_fit",
    "protocol_options",
    "read_split",
    "recognise",
    "require_usable",
    "scan_source",
    "side_files",
    "split_rows",
    "to_output",
    "to_source",
    "verify_tree",
    "vicos",
    "write_beside",
    "write_sample",
    "write_tree",
]

_MODULES = {
    "cluster": ("dask_cluster",),
    "convert": ("check_output", "clear_unfinished", "drafting", "write_beside", "write_tree"),
    "drafts": ("Drafts",),
    "errors": ("KolektorError",),
    "fits": ("count_images", "fit_samples", "make_fit"),
    "geometry": ("box_to_output", "box_to_source", "to_output", "to_source"),
    "layout": ("make_plan",),
    "preview": ("preview_fit",),
    "records": (
        *("Duplicate", "Finding", "Fit", "Fitted", "Geometry", "Leak", "Manifest", "Plan"),
        *("Preview", "Report", "Sample", "Scan", "Split"),
    ),
    "recognition": ("recognise",),
    "releases": ("Release",),
    "sample": ("write_sample",),
    "scan": ("require_usable", "scan_source"),
    "sidefiles": ("side_files",),
    "source": ("Source", "open_source"),
    "split": (
        *("PROTOCOLS", "anomalib", "balanced", "count_samples", "find_leaks", "grouped"),
        *("make_split", "official", "protocol_options", "vicos"),
    ),
    "splitfiles": ("read_split", "split_rows"),
    "tree": ("find_categories",),
    "verify": ("verify_tree",),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: OpenCV and NumPy take their time to load."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
