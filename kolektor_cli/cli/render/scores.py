"""Scores as tables, lines, JSON, CSV, Markdown and LaTeX: the same figures each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace

from kolektor_cli.cli.render.tables import Cell, JsonObject, Table, findings_json
from kolektor_cli.findings import Finding, first_names
from kolektor_cli.scoring.figures import DEFINITIONS, FIGURES
from kolektor_cli.scoring.results import Difference, Figure, Group, ModelScores, Scores

_IMAGE_KEYS = tuple(key for key in FIGURES if key.startswith("image"))

_PIXEL_KEYS = tuple(key for key in FIGURES if not key.startswith("image"))

_COUNTED = ("image_fp_at_fn0",)
"""Figures that are numbers of images; of these, less is better."""

_NONE = "\N{EN DASH}"

PUBLISHED_TITLE = "published, other splits and definitions"


def score_tables(scores: Scores) -> list[Table]:
    """Make the tables of figures: of images, of pixels and regions, and the published ones."""
    tables = []
    for title, keys in (("Images", _IMAGE_KEYS), ("Pixels and regions", _PIXEL_KEYS)):
        columns = ("maps", *(_short(key) for key in keys))
        rows = [row for model in scores.models for row in _rows(model, keys)]
        tables.append(Table(f"{title} of {scores.category}", columns, tuple(rows)))
    tables += [_difference_table(difference) for difference in scores.differences]
    return [*tables, _published_table(scores)] if scores.published else tables


def _short(key: str) -> str:
    return FIGURES[key].removeprefix("image ").removeprefix("pixel ")


def _rows(model: ModelScores, keys: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    figures = [(key, model.figures[key]) for key in keys]
    yield (model.name, *(_text(key, figure) for key, figure in figures))
    if any(figure.low is not None for _, figure in figures):
        # 95 %: a row for each end, so that no number is broken on a narrow terminal.
        yield ("  from", *(_number(key, figure.low) for key, figure in figures))
        yield ("  to", *(_number(key, figure.high) for key, figure in figures))


def _text(key: str, figure: Figure) -> str:
    return _NONE if figure.value is None else _number(key, figure.value)


def _number(key: str, value: float | None) -> str:
    return "" if value is None else f"{value:.{0 if key in _COUNTED else 3}f}"


def _ends(key: str, figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{_number(key, figure.low)} to {_number(key, figure.high)}"


def _difference_table(difference: Difference) -> Table:
    rows = tuple(
        (FIGURES[key], _text(key, figure), _ends(key, figure))
        for key, figure in difference.figures.items()
    )
    title = f"{difference.first} minus {difference.second}, on the same draws"
    return Table(title, ("figure", "difference", "95 %"), rows)


def _published_table(scores: Scores) -> Table:
    rows = tuple(
        (
            row.model,
            row.code,
            row.backbone,
            f"{row.image_auroc:.3f}",
            f"{row.pixel_auroc:.3f}",
            _NONE if row.pro is None else f"{row.pro:.3f}",
        )
        for row in scores.published
    )
    columns = ("model", "code", "backbone", "image AUROC", "pixel AUROC", "PRO")
    return Table(f"KolektorSDD: {PUBLISHED_TITLE}", columns, rows)


def group_tables(scores: Scores, by: str) -> list[Table]:
    """Make a table of groups for each model: ``size`` or ``item``."""
    return [
        _group_table(model, model.by_size if by == "size" else model.by_item, by)
        for model in scores.models
    ]


def _group_table(model: ModelScores, groups: Sequence[Group], by: str) -> Table:
    if by == "size":
        columns: tuple[str, ...] = ("defects", "area, pixels", "regions", "images", "AUPRO@0.3")
        rows: list[tuple[Cell, ...]] = [
            (g.name, f"{g.least} to {g.most}", g.regions, g.images, _share(g.aupro)) for g in groups
        ]
    else:
        columns = ("item", "good", "defective", "regions", "AUPRO@0.3", "highest score")
        rows = [
            (
                g.name,
                g.images - g.defective,
                g.defective,
                g.regions,
                _share(g.aupro),
                f"{g.highest:.4g}",
            )
            for g in groups
        ]
    return Table(f"{model.name} by {by}", columns, tuple(rows))


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def score_lines(scores: Scores) -> Iterator[str]:
    """Write what stands below the tables."""
    yield (
        f"test set    {scores.good} good, {scores.defective} defective images of {scores.items} "
        f"items, {scores.regions} defects"
    )
    if scores.fingerprint:
        yield f"fingerprint {scores.fingerprint}"
    if scores.draws:
        yield (
            f"intervals   95 %, {scores.draws} draws of the {scores.items} physical items, seed "
            f"{scores.seed}"
        )
    several = len(scores.models) > 1
    for model in scores.models:
        yield from _model_lines(model, f"{model.name}: " if several else "")
    yield from _leak_lines(scores)


def _model_lines(model: ModelScores, start: str) -> Iterator[str]:
    made_by = [str(model.binding[key]) for key in ("model", "backbone") if key in model.binding]
    if made_by:
        yield f"{start}made by {', '.join(made_by)}"
    yield f"{start}image score: {model.image_score}"
    for what, value in (("image", model.image_threshold), ("pixel", model.pixel_threshold)):
        if value is not None:
            yield f"{start}threshold of the {what} F1-max: {value:.6g}, chosen on test"
    found = model.segmentation
    if found is not None:
        yield (
            f"{start}segmentation from {found.threshold:.6g} ({found.origin}): F1 "
            f"{_share(found.f1)}, precision {_share(found.precision)}, recall "
            f"{_share(found.recall)}"
        )
    without = defaultdict(list)
    for key, figure in model.figures.items():
        if figure.value is None:
            without[figure.reason].append(FIGURES[key])
    for reason, names in sorted(without.items()):
        yield f"{start}{_NONE} {', '.join(names)}: {reason}"


def _leak_lines(scores: Scores) -> Iterator[str]:
    if scores.leaks is None:
        yield "leaks       not known: the tree has no manifest; 'kolektor verify' looks for them"
    elif scores.leaks:
        yield f"leaks       {first_names(scores.leaks)}"
    else:
        yield "leaks       none by the manifest"


def model_notes(scores: Scores) -> list[Finding]:
    """Return the notes of all models, each with the model that it is about; equal ones once."""
    models = scores.models
    notes = defaultdict(list)
    for model in models:
        for note in model.notes:
            notes[note].append(model.name)
    return [
        note if len(names) == len(models) else replace(note, path=_of(names, note.path))
        for note, names in notes.items()
    ]


def _of(names: Sequence[str], path: str) -> str:
    return ", ".join(names) + (f": {path}" if path else "")


def scores_json(scores: Scores) -> JsonObject:
    """Put scores into JSON, with the definitions of the figures and the published rows."""
    found = asdict(scores)
    found["findings"] = findings_json(scores.findings)
    for model, values in zip(scores.models, found["models"], strict=True):
        values["notes"] = findings_json(model.notes)
        del values["curves"]
    return {**found, "definitions": dict(DEFINITIONS)}


def scores_rows(scores: Scores) -> Iterator[tuple[Cell, ...]]:
    """Make rows of CSV: a header, then one row a model."""
    yield ("maps", *(name for key in FIGURES for name in (key, f"{key}_low", f"{key}_high")))
    for model in scores.models:
        cells: list[Cell] = [model.name]
        for key in FIGURES:
            figure = model.figures[key]
            cells += [_exact(value) for value in (figure.value, figure.low, figure.high)]
        yield tuple(cells)


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)


def scores_markdown(scores: Scores) -> str:
    """Write the figures, and the published ones, as tables in Markdown."""
    lines = [_markdown_row(("maps", *FIGURES.values()))]
    lines.append(_markdown_row(("---", *("---:" for _ in FIGURES))))
    for model in scores.models:
        cells = [_with_ends(key, model.figures[key], "{} ({})") for key in FIGURES]
        lines.append(_markdown_row((model.name, *cells)))
    if not scores.published:
        return "\n".join(lines) + "\n"
    table = _published_table(scores)
    lines += ["", f"{table.title[0].upper()}{table.title[1:]}:", "", _markdown_row(table.columns)]
    lines.append(_markdown_row(["---", "---", "---", "---:", "---:", "---:"]))
    lines += [_markdown_row(map(str, row)) for row in table.rows]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Iterable[object]) -> str:
    escaped = (str(cell).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _with_ends(key: str, figure: Figure, layout: str) -> str:
    ends = _ends(key, figure)
    return layout.format(_text(key, figure), ends) if ends else _text(key, figure)


def scores_latex(scores: Scores) -> str:
    """Write the figures, and the published ones, as one LaTeX table for the package booktabs.

    The best figure of each column is bold; published rows are not compared.
    """
    best = {key: _best(scores, key) for key in FIGURES}
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{l{'r' * len(FIGURES)}}}",
        "\\toprule",
        _latex_row(["maps", *map(_latex_text, FIGURES.values())]),
        "\\midrule",
    ]
    for model in scores.models:
        cells = [_latex_cell(key, model.figures[key], best[key]) for key in FIGURES]
        lines.append(_latex_row([_latex_text(model.name), *cells]))
    if scores.published:
        lines += [
            "\\midrule",
            f"\\multicolumn{{{len(FIGURES) + 1}}}{{l}}{{{PUBLISHED_TITLE}}} \\\\",
        ]
    for row in scores.published:
        shown = {"image_auroc": row.image_auroc, "pixel_auroc": row.pixel_auroc}
        cells = [f"{shown[key]:.3f}" if key in shown else "" for key in FIGURES]
        if row.pro is not None:
            cells[list(FIGURES).index("aupro_0.3")] = f"({row.pro:.3f})"
        name = f"{row.model}, {row.backbone} ({row.code})"
        lines.append(_latex_row([_latex_text(name), *cells]))
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _best(scores: Scores, key: str) -> str | None:
    """Return the text of the best figure of several models, or None."""
    values = [m.figures[key].value for m in scores.models]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    return _text(key, Figure(min(known) if key in _COUNTED else max(known)))


def _latex_cell(key: str, figure: Figure, best: str | None) -> str:
    text = _text(key, figure)
    ends = _ends(key, figure).replace(" to ", "--")
    shown = f"\\textbf{{{text}}}" if text == best else text.replace(_NONE, "--")
    return f"{shown} {{\\footnotesize {ends}}}" if ends else shown


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _latex_text(text: str) -> str:
    escapes = {c: f"\\{c}" for c in "&%$#_{}"}
    escapes |= {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
    return "".join(escapes.get(character, character) for character in text)
