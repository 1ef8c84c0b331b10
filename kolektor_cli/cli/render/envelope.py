"""What every JSON object says first: who printed it, and whether all is well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def envelope(version: str, command: str, ok: bool, result: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap a result as every command prints it."""
    return {"kolektor": version, "command": command, "ok": ok, **result}


def failure_json(version: str, command: str | None, message: str, exit_code: int) -> dict[str, Any]:
    """Put an error in place of a result; without a command if none was recognised."""
    error = {"message": message, "exit_code": exit_code}
    return {"kolektor": version, "command": command, "ok": False, "error": error}
