"""The progress bar of a command: one, over all its steps."""

from __future__ import annotations

import time

from rich.progress import Progress

_FIRST_GUESS = 1.0
"""Seconds of counted work after which the time that is left can be told."""


class Bar:
    """Moves one bar over the steps of a command, in the order in which they are first told."""

    def __init__(self, bars: Progress, steps: int, *, of_bytes: bool) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None, count="")
        self._steps = steps
        self._of_bytes = of_bytes
        self._counted: list[str] = []
        self._shown = ""
        self._begun = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show how far a step is; without `total`, only its name."""
        # However short, each step is drawn once.
        new = step != self._shown
        self._shown = step
        if not total:
            self._bars.update(self._task, description=step, count="", total=None, refresh=new)
            return
        if step not in self._counted:
            self._counted.append(step)
            self._begun = self._begun or time.monotonic()
        index = self._counted.index(step)
        steps = max(self._steps, len(self._counted))
        part = (index + done / total) / steps
        self._bars.update(
            self._task,
            description=step,
            completed=part,
            total=1,
            refresh=new,
            count=self._count(done, total) + self._left(part),
        )

    def _count(self, done: int, total: int) -> str:
        if self._of_bytes:
            return f"{done / 1e6:.1f}/{total / 1e6:.1f} MB"
        return f"{done}/{total}"

    def _left(self, part: float) -> str:
        passed = time.monotonic() - self._begun
        if not part or passed < _FIRST_GUESS:
            return ""
        return f", {duration(passed * (1 - part) / part, whole=True)} left"


def duration(seconds: float, *, whole: bool = False) -> str:
    """Write a time in seconds, from a minute on in minutes and seconds."""
    if seconds < 59.95 and not whole:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
