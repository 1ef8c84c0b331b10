"""Completion: what each shell is told, asked as its script asks, and in bash itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kolektor_cli.consumers.catalogue import CONSUMERS
from kolektor_cli.consumers.training import MODELS

SCRIPT = [str(shutil.which("kolektor", path=Path(sys.executable).parent))]


def asked(shell: str, line: str, **environment: str) -> str:
    """Return what kolektor tells a shell of a line that is being typed."""
    words = line.split(" ")
    as_shells_ask = {
        "_KOLEKTOR_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    result = subprocess.run(
        SCRIPT,
        env={**os.environ, **as_shells_ask, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    return result.stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("kolektor con", ["convert"]),
        ("kolektor convert x y --fit s", ["stretch", "square"]),
        ("kolektor convert x y --for u", ["uniad"]),
        ("kolektor verify x --for ", list(CONSUMERS)),
        ("kolektor score x y --for pat", ["patchcore"]),
        ("kolektor split x --protocol ", ["balanced", "vicos", "grouped", "anomalib", "official"]),
        ("kolektor split x --train-defects t", ["test", "train"]),
        ("kolektor split x --fo", ["--fold", "--folds", "--force"]),
        ("kolektor train x p", [name for name in MODELS if name.startswith("p")]),
        ("kolektor train x patchcore --device c", ["cpu", "cuda"]),
        ("kolektor export x ", ["yolo", "coco", "labelme", "segdecnet"]),
        ("kolektor fetch kolektorsdd2", ["kolektorsdd2"]),
        ("kolektor docs sco", ["scores"]),
        ("kolektor help ver", ["verify"]),
        # Nothing: the shell itself completes the path.
        ("kolektor inspect Kol", []),
        ("kolektor verify x --source Kol", []),
    ],
)
def test_values_complete(line: str, told: list[str]) -> None:
    assert asked("bash", line).split() == told


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        ("zsh", '"balanced"'),
        ("fish", "balanced\n"),
        ("powershell", "balanced::: "),
        ("pwsh", "balanced::: "),
    ],
)
def test_each_shell_is_told_in_its_own_way(shell: str, told: str) -> None:
    assert told in asked(shell, "kolektor split x --protocol bal")


def test_zsh_completes_paths_itself() -> None:
    assert asked("zsh", "kolektor inspect Kol").strip() == "_files"


needs_bash = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None, reason="needs bash"
)


@needs_bash
def test_bash_completes_with_the_script_that_is_shown() -> None:
    typed = "COMP_WORDS=(kolektor convert x y --for inp); COMP_CWORD=5"
    result = subprocess.run(
        [
            "bash",
            "--norc",
            "-c",
            f'eval "$(kolektor --show-completion; true)"; {typed}; '
            '_kolektor_completion kolektor; echo "${COMPREPLY[@]}"; complete -p kolektor',
        ],
        env={**os.environ, "PATH": f"{Path(SCRIPT[0]).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    # With -o default, bash completes paths where nothing is told.
    assert result.stdout.splitlines() == [
        "inp-former",
        "complete -o default -F _kolektor_completion kolektor",
    ]


@needs_bash
def test_completion_is_installed_in_the_home_folder(tmp_path: Path) -> None:
    result = subprocess.run(
        ["bash", "--norc", "-c", f"{SCRIPT[0]} --install-completion; true"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "bash completion installed in" in result.stdout
    assert "_kolektor_completion" in (tmp_path / ".bash_completions/kolektor.sh").read_text()
    assert ".bash_completions/kolektor.sh" in (tmp_path / ".bashrc").read_text()
