"""How a verb tells its progress: step by step, each with a name and a count."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

StepProgress: TypeAlias = Callable[[str, int, int], None]
"""Called with the name of the step, the number of items done and their total.

The total is 0 for a step that cannot be counted.
"""


def no_steps(step: str, done: int, total: int) -> None:
    """Ignore progress."""
