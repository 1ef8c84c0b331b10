"""How a command reads its arguments: nothing is dropped, and what is wrong is told in our words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import typer
import typer.core

from kolektor_cli.cli.help import write_help

UsageFault: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises for wrong arguments; it gives a name to one kind only."""


class Command(typer.core.TyperCommand):
    """A command that refuses empty and repeated values, and says what a value should be."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; see `typer.core.TyperCommand`."""
        write_help(self, ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the arguments as usage names them, without Typer's braces."""
        pieces = (re.sub("[{}]", "", piece) for piece in super().collect_usage_pieces(ctx))
        # A name may have its own dots.
        return [piece.replace("......", "...").replace("...]...", "...]") for piece in pieces]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; see `typer.core.TyperCommand`."""
        try:
            return self._read(ctx, args)
        except UsageFault as fault:
            suggest_option(fault, self)
            raise

    def _read(self, ctx: Any, args: list[str]) -> list[str]:
        # Reading takes them off the list.
        given, _, order = self.make_parser(ctx).parse_args(list(args))
        params: list[Any] = [*order]
        for param in params:
            value = given.get(param.name)
            if value == "" or (isinstance(value, list) and "" in value):
                message = "it must not be empty; was a variable not set?"
                raise typer.BadParameter(message, ctx=ctx, param=param)
        for param, times in Counter(params).items():
            if times > 1 and not (param.multiple or getattr(param, "is_flag", False)):
                message = f"it is given {times} times; give it once"
                raise typer.BadParameter(message, ctx=ctx, param=param)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = _in_our_words(error)
            raise


def _in_our_words(error: typer.BadParameter) -> str:
    """Return what a value should be, where Typer tells it as Pydantic does."""
    message = error.message.removeprefix("Value error, ")
    details: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if details:
        message = _of_number(details[0]) or message
    choices = re.fullmatch(r"'(.*)' is not one of (.+?)\.?", message, re.DOTALL)
    if choices is None:
        return message
    value, known = choices[1], re.findall(r"'([^']*)'", choices[2])
    return f"{value!r} is not one of {', '.join(known)}{did_you_mean(value, known)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question for the known word that is nearest to a wrong one; empty if none is."""
    near = _nearest(word, known)
    return f"; did you mean {near}?" if near else ""


def _nearest(word: str, known: Iterable[str], likeness: float = 0.5) -> str | None:
    words = list(known)
    begun = [one for one in words if word and one.startswith(word.lower())]
    near = begun or get_close_matches(word.lower(), words, 1, likeness)
    return min(near, key=len) if near else None


def suggest_option(fault: Any, command: Any) -> None:
    """Say of an option that is none, which option or argument is meant, if one is near."""
    given = getattr(fault, "option_name", None)
    if given is None or not hasattr(fault, "possibilities"):
        return
    word = given.lstrip("-")
    options = [name for param in command.params for name in param.opts if name.startswith("--")]
    arguments = [name for param in command.params for name in (param.metavar or "").split("|")]
    fault.possibilities = None  # Typer would list them all
    fault.message = f"there is no option {given}"
    near = _nearest(word, [name[2:] for name in options], 0.7)
    if near:
        fault.message += f"; did you mean --{near}?"
    elif word.upper() in arguments:
        fault.message += f"; {word.upper()} is given without a name before it"


def _of_number(detail: dict[str, Any]) -> str | None:
    """Return what is wrong with a number; None if that is not what is wrong."""
    value, kind, limits = detail.get("input"), detail.get("type", ""), detail.get("ctx", {})
    if kind.startswith("int_"):
        return f"{value!r} is not a whole number"
    if kind.startswith("float_"):
        return f"{value!r} is not a number"
    if kind == "greater_than_equal":
        return f"{value} is too small: it goes from {limits['ge']}"
    if kind == "less_than_equal":
        return f"{value} is too large: it goes up to {limits['le']}"
    return None
