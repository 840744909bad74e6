"""Every benchmark runs, at sizes that tell nothing, and compares the right way round."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from support.cli_tools import ROOT, BuiltOnce

FOLDER = ROOT / "benchmarks"
TINY = {
    "engine": "--runs 1",
    "evaluators": "--runs 1 --seconds 0.001 --batches [8] --threads [1] --width 16 --blocks 1",
    "scaling": "--games 4 --iterations 1 --positions 1000 --steps 1",
    "search": (
        "--games 8 --simulations [4] --iterations [20] --moves 2 --network_games 8 --network_simulations 4 "
        "--runs 1 --seconds 0.001"
    ),
    "selfplay": "--games 8 --parallel 4 --simulations 2 --width 16 --blocks 1 --runs 1",
    "training": "--games 8 --steps 2 --batch 16 --simulations 2 --iterations 1",
    "ablations": "--only '[\"population: linear\"]' --seeds 1 --games 2 --simulations 2 --iterations 1",
}
ELSEWHERE = {"soak"}
"""Tried by a test file of its own."""


def test_every_benchmark_is_tried() -> None:
    """Fails if a new benchmark is run by no test."""
    programs = {path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text()}
    assert programs == set(TINY) | ELSEWHERE


@pytest.mark.slow
@pytest.mark.parametrize(("name", "more"), [*((name, "") for name in TINY), ("training", " --asynchronous true")])
def test_a_benchmark_runs(name: str, more: str, tmp_path: Path) -> None:
    """Fails if an interface that a benchmark uses has changed."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *shlex.split(TINY[name] + more)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"\d", done.stdout)
    assert ("the trainer waits for games" in done.stdout) == bool(more)
    if name == "search":
        for peer in ("mctx", "pgx", "OpenSpiel"):
            # a row or, with brackets that no markup may swallow, what installs it
            pattern = rf"{peer} is not installed.*\.\[peers\]|│ .*{peer}.*│"
            assert re.search(pattern, done.stdout), done.stdout


def test_ours_twice_as_fast_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if the ratio is the wrong way round, or of other rows."""
    monkeypatch.syspath_prepend(str(FOLDER))
    cases = importlib.import_module("cases")
    monkeypatch.delitem(sys.modules, "cases")

    def counts(number: int) -> int:
        sum(range(20_000))
        return number

    table = cases.new_table("a title")
    rows = [
        cases.Case("ours", lambda: counts(8)),
        cases.Case("theirs", lambda: counts(1), lambda: counts(1), ours=["ours"]),
    ]
    cases.measure(table, "a section", rows, 5, 0.01)
    what, _, two, _, _, remarks = (list(column.cells) for column in table.columns)
    assert what == ["[bold]a section[/bold]", "ours", "theirs"]
    assert two[1] == "" and int(two[2].replace(",", "")) > 0
    times = re.fullmatch(r"ours ([\d.]+) times as fast", remarks[2])
    assert times and 4 < float(times[1]) < 16


@pytest.fixture(scope="session")
def ablations() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ablations", FOLDER / "ablations.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_ablation_is_a_configuration(
    ablations: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a variant names a setting that is gone, or does not differ from its base."""
    monkeypatch.setattr(sys, "argv", ["lit-trainer"])  # LightningCLI warns of those it is not given
    seen = []
    for changes in ablations.VARIANTS.values():
        file = tmp_path / "variant.yaml"
        given = ablations.configuration(changes, tmp_path, 3)
        file.write_text(yaml.safe_dump(given))
        made = BuiltOnce([f"--config={file}"], run=False)
        assert made.datamodule.seed == 3 and made.datamodule.generation.threads == 1
        assert given not in seen
        seen.append(given)
