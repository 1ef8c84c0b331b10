"""Data flows one way: each module imports only those that the table allows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import kolektor_cli

PACKAGE = Path(kolektor_cli.__file__).parent

ALLOWED = {
    "errors": set(),
    "records": set(),
    "parallel": {"errors"},
    "cluster": {"errors"},
    "releases": {"records"},
    "source": {"errors", "inflate"},
    "atomic": set(),
    "locks": {"errors"},
    "staging": {"atomic", "errors", "locks", "parallel"},
    "inflate": set(),
    "pngrows": {"inflate"},
    "images": {"errors", "pngrows"},
    "geometry": {"errors", "images", "records"},
    "deviations": {"records", "releases"},
    "duplicates": {"images", "parallel"},
    "copies": {"errors", "records", "source"},
    "pairing": {"copies", "errors", "records", "releases", "source"},
    "itemfolders": {"pairing", "releases"},
    "splitfolders": {"copies", "pairing", "releases"},
    "recognition": {
        *("errors", "itemfolders", "pairing", "records", "releases", "source", "splitfolders"),
    },
    "masks": {"images", "records", "source"},
    "examine": {
        *("duplicates", "errors", "images", "masks", "pairing", "records", "releases", "source"),
    },
    "scan": {
        *("deviations", "duplicates", "errors", "examine", "images", "masks", "parallel"),
        *("recognition", "records", "releases", "source"),
    },
    "split": {"duplicates", "errors", "records", "releases"},
    "splitfiles": {"errors", "records", "split"},
    "rules": {"records"},
    "windows": {"images", "records"},
    "originals": {"errors", "images", "records", "source"},
    "fits": {
        *("errors", "geometry", "images", "originals", "parallel", "records", "source", "windows"),
    },
    "preview": {"geometry", "images", "originals", "parallel", "records", "source"},
    "consumers": {"errors", "records"},
    "sidefiles": {"consumers", "errors", "records", "rules"},
    "suitability": {"consumers", "records", "rules", "sidefiles", "tree"},
    "layout": {"errors", "fits", "records", "rules"},
    "manifest": {"errors", "records", "rules"},
    "tree": {"duplicates", "errors", "images", "manifest", "parallel", "records", "rules"},
    "drafts": {"atomic", "errors", "fits", "geometry", "images", "records"},
    "convert": {
        *("drafts", "errors", "layout", "manifest", "originals", "parallel", "records", "rules"),
        *("source", "staging", "tree"),
    },
    "provenance": {
        *("drafts", "errors", "fits", "geometry", "images", "originals", "parallel", "records"),
        *("rules", "source", "split", "tree"),
    },
    "leaks": {"duplicates", "records", "rules", "tree"},
    "verify": {
        *("leaks", "manifest", "parallel", "provenance", "records", "rules", "source"),
        *("suitability", "tree"),
    },
    "drawing": {"images"},
    "sample": {"drawing", "errors", "images", "parallel", "records", "releases", "staging"},
    "render": {"records"},
    "render_conversion": {"records", "render"},
    "console": {"parallel", "records", "render", "staging"},
    "options": {"records"},
    "cli": {
        *("console", "consumers", "errors", "options", "records", "releases", "render"),
        *("render_conversion", "source"),
    },
    "__main__": {"cli", "errors"},
}


def imported_modules(path: Path) -> set[str]:
    """Find the modules of the package that a module imports, by name; not the package itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "kolektor_cli":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kolektor_cli."):
            found.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {parts[1] for parts in names if parts[0] == "kolektor_cli" and parts[1:]}
    return found - {"__version__"}


@pytest.mark.parametrize("module", sorted({p.stem for p in PACKAGE.glob("*.py")} - {"__init__"}))
def test_module_imports_only_what_the_table_allows(module: str) -> None:
    assert imported_modules(PACKAGE / f"{module}.py") <= ALLOWED[module]


def test_table_has_no_circle() -> None:
    remaining = dict(ALLOWED)
    while remaining:
        free = [name for name, imports in remaining.items() if not imports & remaining.keys()]
        assert free, f"a circle among {sorted(remaining)}"
        for name in free:
            del remaining[name]


@pytest.mark.parametrize("module", ["rich", "typer"])
def test_only_its_home_uses_a_library_for_terminals(module: str) -> None:
    home = {"rich": {"console"}, "typer": {"cli", "options"}}[module]
    users = {
        path.stem
        for path in PACKAGE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == module)
        or (isinstance(node, ast.Import) and node.names[0].name.split(".")[0] == module)
    }
    assert users == home
