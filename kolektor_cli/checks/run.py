"""A named check of a tree, and the trees for which it is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kolektor_cli.findings import Check, Finding
from kolektor_cli.tree.read import Tree

Needs: TypeAlias = Literal["tree", "kolektor", "manifest"]
"""The trees that a check applies to: any, those that this tool made, those with a manifest."""


@dataclass(frozen=True, slots=True)
class TreeCheck:
    """A named check; `find` yields its findings, `description` says what holds if it passes."""

    name: str
    description: str
    find: Callable[[Tree], Iterable[Finding]]
    needs: Needs = "tree"

    def run(self, tree: Tree) -> Check:
        """Check a tree, or skip the check if the tree does not meet `needs`."""
        skipped = self._reason_to_skip(tree)
        findings = () if skipped else tuple(self.find(tree))
        return Check(self.name, self.description, findings, skipped)

    def _reason_to_skip(self, tree: Tree) -> str | None:
        if self.needs != "tree" and not tree.ours:
            return "not made by kolektor"
        if self.needs == "manifest" and tree.manifest is None:
            return "no manifest to go by"
        return None
