"""The contract about imports in pyproject.toml: the packages keep it, and a wrong import breaks it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli_tools import ROOT

PACKAGES = ("lit_trainer", "sim_core", "callbacks")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Returns a folder with a copy of the packages' Python files and of pyproject.toml."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def lint(folder: Path) -> tuple[int, str]:
    """Runs `lint-imports` in a folder. Returns its exit code and what it printed, with single spaces."""
    done = subprocess.run(
        [sys.executable, "-c", "import importlinter.cli as cli; cli.lint_imports_command()", "--no-logo", "--no-cache"],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_the_packages_keep_every_contract(copy: Path) -> None:
    code, printed = lint(copy)
    assert code == 0, printed
    assert "0 broken" in printed


WRONG = [
    ("lit_trainer.networks.base", "lit_trainer.players.specs"),
    ("lit_trainer.self_play.games", "lit_trainer.play.session"),
    ("lit_trainer.play.session", "lit_trainer.self_play.games"),
    ("lit_trainer.reporting.tables", "lit_trainer.learning.losses"),
    ("lit_trainer.learning.module", "callbacks.schedules"),
    ("sim_core.state", "lit_trainer.utils.files"),
    ("sim_core.state", "callbacks.schedules"),
    ("callbacks.schedules", "lit_trainer.utils.files"),
    ("callbacks.schedules", "sim_core.state"),
]


def test_wrong_imports_break_every_contract_and_are_named(copy: Path) -> None:
    for importer, wrong in WRONG:
        with (copy / importer.replace(".", "/")).with_suffix(".py").open("a") as source:
            source.write(f"\nimport {wrong}\n")
    code, printed = lint(copy)
    assert code == 1
    assert "0 kept, 4 broken" in printed
    for importer, wrong in WRONG:
        assert re.search(rf"{re.escape(importer)} -> {re.escape(wrong)} \(l\.\d+\)", printed), (importer, wrong)


def test_a_module_without_a_layer_breaks_the_contract_and_is_named(copy: Path) -> None:
    (copy / "lit_trainer" / "stray.py").touch()
    code, printed = lint(copy)
    assert code == 1
    assert "lit_trainer imports downwards only BROKEN" in printed
    assert "- lit_trainer.stray" in printed or "- stray" in printed, printed


def test_the_engine_s_cython_files_import_nothing_from_above() -> None:
    """Fails if a Cython file, which import-linter does not read, imports something from above."""
    wrong = re.compile(r"^\s*(from|c?import) +(lit_trainer|callbacks)\b", re.MULTILINE)
    for path in (ROOT / "sim_core").rglob("*.p*"):
        if path.suffix in (".pyx", ".pxd", ".pyi"):
            assert not wrong.search(path.read_text()), path
