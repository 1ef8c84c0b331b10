"""Whether trees are whole, correct, free of leaks, and what they are said to be."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
from kolektor_cli.errors import ManifestError, OutputError
from kolektor_cli.findings import Check, Finding
from kolektor_cli.io.parallel import Progress
from kolektor_cli.io.source import Source, open_source
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
    """The opened source that trees are compared with, and what it holds."""

    source: Source
    scan: Scan


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
        return Verification(tuple(results), origin.scan.findings if origin else ())


def is_tree(path: Path) -> bool:
    """Return whether a path is a tree, or a folder of such, and surely no raw dataset.

    KolektorSDD2's raw dataset has folders train and test, too.
    """
    return path.is_dir() and any(map(has_tree_folders, [path, *path.iterdir()]))


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
    """Open and scan the source, if there is one."""
    if source is None:
        yield None
        return
    trust = any(map(_trusts_masks, folders))
    with open_source(Path(source)) as opened:
        told = partial(progress, "scan")
        # Each manifest has its own depth; `check_source` reads images by it.
        scan = scan_source(opened, depth="full", trust_masks=trust, jobs=jobs, progress=told)
        yield _Origin(opened, scan)


def _trusts_masks(folder: Path) -> bool:
    """Return whether a tree was made with masks that contradict the official labels."""
    try:
        manifest = from_bytes((folder / MANIFEST_NAME).read_bytes())
    except (OSError, ManifestError):
        # `read_tree` reads it again, and reports this.
        return False
    return manifest.options.get("trust_masks") is True


def _verify_category(
    folder: Path,
    origin: _Origin | None,
    consumers: Iterable[ConsumerName],
    strict: bool,
    jobs: int | None,
    progress: StepProgress,
) -> CategoryResult:
    tree = read_tree(folder, jobs, partial(progress, f"verify {folder.name}"))
    more = [_consumer_check(name) for name in consumers]
    if origin is not None:
        more.append(_source_check(origin, jobs, partial(progress, f"derive {folder.name}")))
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


def _source_check(origin: _Origin, jobs: int | None, progress: Progress) -> TreeCheck:
    find = partial(
        check_source, source=origin.source, scan=origin.scan, jobs=jobs, progress=progress
    )
    return TreeCheck("source", "files are what the source gives when derived again", find)


def _count(tree: Tree) -> Counts:
    places = map(split_and_label, tree.pngs)
    return Counter(place for place in places if place is not None)


def _fingerprint(tree: Tree) -> str | None:
    if any(facts.problem for facts in tree.pngs.values()):
        return None
    return fingerprint((path, facts.pixels_sha256) for path, facts in tree.pngs.items())
