"""Whether trees are whole, correct, free of leaks, and what they are said to be."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kolektor_cli.checks.contract import CONTRACT_CHECKS
from kolektor_cli.checks.leaks import leak_checks
from kolektor_cli.checks.manifest import MANIFEST_CHECKS
from kolektor_cli.checks.run import TreeCheck
from kolektor_cli.checks.source import check_source
from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName, Consumers, names_of
from kolektor_cli.consumers.suitability import check_consumer
from kolektor_cli.core.inspection import is_dataset
from kolektor_cli.core.steps import StepProgress, no_steps
from kolektor_cli.errors import ManifestError, OutputError, SourceError, UsageError
from kolektor_cli.findings import Check, Finding, first_names
from kolektor_cli.io.parallel import Progress
from kolektor_cli.io.source import Source, open_source
from kolektor_cli.raw.layout_options import (
    KOLEKTOR_LAYOUT,
    LayoutOptions,
    check_layout,
    layout_of,
    option_of,
)
from kolektor_cli.raw.scan import Scan, scan_source
from kolektor_cli.splits.split import Counts
from kolektor_cli.tree.layout import MANIFEST_NAME, split_and_label
from kolektor_cli.tree.manifest import fingerprint, from_bytes
from kolektor_cli.tree.read import Tree, find_categories, has_tree_folders, read_tree


@dataclass(frozen=True, slots=True)
class CategoryResult:
    """The checks of one category folder, and how many images it holds by split and label.

    `fingerprint` is None where a file cannot be decoded.
    """

    category: str
    counts: Counts
    fingerprint: str | None
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether no check found an error."""
        return all(check.ok for check in self.checks)


@dataclass(frozen=True, slots=True)
class Verification:
    """The results of all category folders, and the findings of the source, if one was given."""

    categories: tuple[CategoryResult, ...]
    source_findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check of any category found an error."""
        return all(result.ok for result in self.categories)


@dataclass(frozen=True, slots=True)
class _Origin:
    """The opened source that trees are compared with, and what it holds, read as each was."""

    source: Source
    scans: Mapping[Path, Scan]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all scans, each once."""
        return tuple(dict.fromkeys(f for scan in self.scans.values() for f in scan.findings))


def verify(
    out: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    consumers: Consumers = (),
    strict: bool = False,
    jobs: int | None = None,
    progress: StepProgress = no_steps,
) -> Verification:
    """Check MVTec-AD-style trees, whoever made them.

    Parameters
    ----------
    out
        A category folder, or a folder of such.
    source
        The raw dataset: every file is derived from it again and compared.
    consumers
        A code that is to train on the tree, or several: their needs are checked, too, and the files
        beside the category folder that they read.
    strict
        Near duplicates in train and test are errors, not only warnings.
    jobs
        Number of threads; by default one a processor.
    progress
        Called with step, number done and total.

    Raises
    ------
    UsageError
        There is no such consumer.
    OutputError
        `out` holds no category folder, or a file in it cannot be read.
    SourceError
        The source cannot be read, or holds no dataset that is known.

    Examples
    --------
    >>> import kolektor_cli as kolektor
    >>> verification = kolektor.verify("data", source="KolektorSDD")
    >>> verification.ok, [result.category for result in verification.categories]
    (True, ['metal'])
    """
    names = names_of(consumers)
    _refuse_raw(Path(out))
    folders = find_categories(Path(out))
    with _scanned(source, folders, jobs, progress) as origin:
        results = [
            _verify_category(folder, origin, names, strict, jobs, progress) for folder in folders
        ]
        return Verification(tuple(results), origin.findings if origin else ())


def count_steps(out: str | os.PathLike[str], source: str | os.PathLike[str] | None = None) -> int:
    """Return how many steps `verify` counts: the source, and a category once or, with it, twice."""
    folders = find_categories(Path(out)) if is_tree(Path(out)) else []
    return len(folders) if source is None else 1 + 2 * len(folders)


def is_tree(path: Path) -> bool:
    """Return whether a path is a tree, or a folder of such, and surely no raw dataset.

    KolektorSDD2's raw dataset has folders train and test, too.
    """
    return path.is_dir() and any(map(has_tree_folders, [path, *path.iterdir()]))


def reads_tree(place: Path, layout: LayoutOptions) -> bool:
    """Return whether what is at a place is read as a tree, and else as a source by `layout`.

    With the layout ``pairs`` only a manifest makes a tree: people's own images may have the folders
    of a tree, such as ``ground_truth``.

    Raises
    ------
    UsageError
        The layout's options are impossible, or they are given with a tree.
    """
    given = check_layout(layout).given()
    if not given or not is_tree(place):
        return is_tree(place)
    names = ", ".join(f"--{option_of(name)}" for name in given)
    if _has_manifest(place):
        raise UsageError(f"{place}: is a tree, which is read without {names}; give its source")
    if layout.layout == "pairs":
        return False
    raise UsageError(
        f"{place}: has the folders of a tree, which is read without {names}; images of your own "
        "need --layout pairs"
    )


def _has_manifest(place: Path) -> bool:
    return any((folder / MANIFEST_NAME).exists() for folder in (place, *place.iterdir()))


def _refuse_raw(out: Path) -> None:
    if not is_tree(out) and is_dataset(out):
        raise OutputError(
            f"{out}: is not an MVTec-style tree, but the raw dataset; convert it with 'kolektor "
            f"convert {out} OUT', then verify OUT"
        )


@contextmanager
def _scanned(
    source: str | os.PathLike[str] | None,
    folders: Iterable[Path],
    jobs: int | None,
    progress: StepProgress,
) -> Iterator[_Origin | None]:
    """Open the source, if there is one, and scan it once for each layout of the trees."""
    if source is None:
        yield None
        return
    options = {folder: _options_of(folder) for folder in folders}
    layouts = {folder: _layout_of(options[folder]) for folder in options}
    trust = any(found.get("trust_masks") is True for found in options.values())
    # Each manifest has its own depth; `check_source` reads images by it.
    told = partial(progress, "reading the source")
    scan = partial(scan_source, depth="full", trust_masks=trust, jobs=jobs, progress=told)
    with open_source(Path(source)) as opened:
        with _telling(options):
            scans = {
                layout: scan(opened, layout=layout) for layout in dict.fromkeys(layouts.values())
            }
        yield _Origin(opened, {folder: scans[layout] for folder, layout in layouts.items()})


@contextmanager
def _telling(options: Mapping[Path, Mapping[str, object]]) -> Iterator[None]:
    """Tell, where a source is refused, which trees do not say how theirs was read."""
    try:
        yield
    except SourceError as error:
        silent = [str(folder) for folder, found in options.items() if not found]
        if silent:
            told = f"{first_names(silent)} has no whole manifest that says how its source was read"
            raise SourceError(f"{error}; {told}") from error
        raise


def _options_of(folder: Path) -> Mapping[str, object]:
    """Return the options that a tree was made with, as far as its manifest tells them."""
    try:
        return from_bytes((folder / MANIFEST_NAME).read_bytes()).options
    except (OSError, ManifestError):
        # `read_tree` reads it again, and reports this.
        return {}


def _layout_of(options: Mapping[str, object]) -> LayoutOptions:
    try:
        return layout_of(options)
    except UsageError:
        # `check_source` reports it.
        return KOLEKTOR_LAYOUT


def _verify_category(
    folder: Path,
    origin: _Origin | None,
    consumers: Iterable[ConsumerName],
    strict: bool,
    jobs: int | None,
    progress: StepProgress,
) -> CategoryResult:
    tree = read_tree(folder, jobs, partial(progress, f"reading {folder.name}"))
    more = [_consumer_check(name) for name in consumers]
    if origin is not None:
        told = partial(progress, f"deriving {folder.name} again")
        more.append(_source_check(origin.source, origin.scans[folder], jobs, told))
    progress(f"checking {folder.name}", 0, 0)
    return check_tree(tree, more, strict=strict, jobs=jobs)


def check_tree(
    tree: Tree, more: Sequence[TreeCheck] = (), *, strict: bool = False, jobs: int | None = None
) -> CategoryResult:
    """Return the checks that every tree is put to, and `more`.

    Raises
    ------
    OutputError
        A file cannot be read.
    """
    checks = [*CONTRACT_CHECKS, *MANIFEST_CHECKS, *leak_checks(strict=strict, jobs=jobs), *more]
    return CategoryResult(
        category=tree.path.resolve().name,
        counts=_count(tree),
        fingerprint=_fingerprint(tree),
        checks=tuple(check.run(tree) for check in checks),
    )


def _consumer_check(name: ConsumerName) -> TreeCheck:
    title = CONSUMERS[name].title
    return TreeCheck(
        "consumer", f"{title} trains on it as it is", partial(check_consumer, name=name)
    )


def _source_check(source: Source, scan: Scan, jobs: int | None, progress: Progress) -> TreeCheck:
    find = partial(check_source, source=source, scan=scan, jobs=jobs, progress=progress)
    return TreeCheck("source", "files are what the source gives when derived again", find)


def _count(tree: Tree) -> Counts:
    places = map(split_and_label, tree.pngs)
    return Counter(place for place in places if place is not None)


def _fingerprint(tree: Tree) -> str | None:
    if any(facts.problem for facts in tree.pngs.values()):
        return None
    return fingerprint((path, facts.pixels_sha256) for path, facts in tree.pngs.items())
