"""A report as JSON."""

from __future__ import annotations

from pathlib import Path

from kolektor_cli.cli.render.tables import JsonObject, findings_json
from kolektor_cli.core.reporting import Report


def report_json(made: Report, file: Path) -> JsonObject:
    """Put what is known of a report into JSON: its page, if one was written, and the findings."""
    return {
        "path": str(file) if made.page else None,
        "kind": made.kind,
        "size": made.size,
        "findings": findings_json(made.findings),
    }
