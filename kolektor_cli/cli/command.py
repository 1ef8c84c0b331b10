"""How a command reads its arguments: nothing is dropped, and what is wrong is told in our words."""

from __future__ import annotations

import re
from collections import Counter
from difflib import get_close_matches
from typing import Any

import typer
import typer.core


class Command(typer.core.TyperCommand):
    """A command that refuses empty and repeated values, and says what a value should be."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; see `typer.core.TyperCommand`."""
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
    near = get_close_matches(value.lower(), known, 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{value!r} is not one of {', '.join(known)}{hint}"


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
