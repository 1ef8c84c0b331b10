"""A split as JSON."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kolektor_cli.cli.render.tables import JsonObject, counts_json, findings_json, leaks_json
from kolektor_cli.core.splitting import Splitting
from kolektor_cli.samples import Sample, natural_key
from kolektor_cli.splits.split import Split


def splitting_json(made: Splitting, file: Path | None) -> JsonObject:
    """Put a split into JSON; `file` is where it was written to as CSV."""
    split, samples = made.split, made.scan.samples
    ordered = sorted(samples, key=lambda sample: natural_key(sample.name))
    return {
        "file": None if file is None else str(file),
        "release": made.scan.release,
        "protocol": split.protocol,
        "parameters": dict(split.parameters),
        "counts": counts_json(Counter((split.assigned[s.name], s.label) for s in samples)),
        "samples": [_sample_json(sample, split) for sample in ordered],
        "leaks": leaks_json(made.leaks),
        "left_out": dict(made.scan.left_out),
        "findings": findings_json(made.scan.findings),
    }


def _sample_json(sample: Sample, split: Split) -> JsonObject:
    known = split.segmented.get(sample.name)
    return {
        "sample": sample.name,
        "item": sample.item,
        "group": sample.group,
        "label": sample.label,
        "split": split.assigned[sample.name],
        **({} if known is None else {"segmented": known}),
    }
