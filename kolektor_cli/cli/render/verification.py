"""The result of a verification as tables, lines and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kolektor_cli.cli.render.tables import (
    JsonObject,
    Table,
    counts_json,
    counts_table,
    findings_json,
)
from kolektor_cli.core.verification import CategoryResult, Verification
from kolektor_cli.findings import Check


def result_tables(result: CategoryResult, *, every: bool) -> list[Table]:
    """Make tables of a category folder: its images, and a line a check.

    Without `every`, checks that pass or are skipped have none.
    """
    rows = tuple(
        (check.name, _state(check), check.description)
        for check in result.checks
        if every or check.state in ("FAILED", "warning")
    )
    images = counts_table(result.category, result.counts)
    return [images, Table("Checks", ("check", "result", "passes if"), rows)] if rows else [images]


def check_lines(result: CategoryResult) -> Iterator[str]:
    """Name the checks that passed, and those that were skipped, with the reason."""
    passed = [check.name for check in result.checks if check.state == "ok"]
    if passed:
        yield f"{len(passed)} {'check' if len(passed) == 1 else 'checks'} ok: {', '.join(passed)}"
    skipped: dict[str, list[str]] = {}
    for check in result.checks:
        if check.skipped:
            skipped.setdefault(check.skipped, []).append(check.name)
    for why, names in skipped.items():
        yield f"skipped: {', '.join(names)}: {why}"


def _state(check: Check) -> str:
    return f"skipped: {check.skipped}" if check.skipped else check.state


def result_lines(result: CategoryResult) -> Iterator[str]:
    """Write what stands below the tables and findings of a category folder."""
    if result.fingerprint:
        yield f"fingerprint {result.fingerprint}"
    failed = [check.name for check in result.checks if check.state == "FAILED"]
    warned = [check.name for check in result.checks if check.state == "warning"]
    state = f"FAILED: {', '.join(failed)}" if failed else "ok"
    yield f"{result.category}: {state}" + (f"; warning: {', '.join(warned)}" if warned else "")


def summary_lines(verification: Verification) -> Iterator[str]:
    """Write the last line: how many of several category folders failed, and which."""
    number = len(verification.categories)
    failed = [result.category for result in verification.categories if not result.ok]
    if number > 1:
        yield (
            f"{len(failed)} of {number} failed: {', '.join(failed)}"
            if failed
            else f"{number} of {number} ok"
        )


def next_command(verification: Verification, out: Path) -> list[str]:
    """Return the command that trains on a tree that was verified; none if any check failed."""
    if not verification.ok:
        return []
    folder = out / verification.categories[0].category
    return ["kolektor", "train", str(folder if folder.is_dir() else out), "patchcore"]


def verification_json(verification: Verification) -> JsonObject:
    """Put the results of all category folders into JSON."""
    return {"categories": [_result_json(result) for result in verification.categories]}


def _result_json(result: CategoryResult) -> JsonObject:
    """Put what was found in a category folder into JSON."""
    return {
        "category": result.category,
        "ok": result.ok,
        "counts": counts_json(result.counts),
        "fingerprint": result.fingerprint,
        "checks": [
            {
                "name": check.name,
                "description": check.description,
                "ok": check.ok,
                "state": check.state,
                "skipped": check.skipped,
                "findings": findings_json(check.findings),
            }
            for check in result.checks
        ],
    }
