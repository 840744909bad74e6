"""The long checks, short; and that they would find what they look for."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from support.cli_tools import ROOT

from sim_core import GameBatch


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    path = ROOT / "benchmarks" / "soak.py"
    spec = importlib.util.spec_from_file_location("soak", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_games_keep_every_invariant(soak: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    soak.games(games=4000, batch_size=400)
    assert "4,000 games, 96,000 turns, every invariant held" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("field", "place", "value", "said"),
    [
        ("hand", (3, 0), 0b1111, "a card is"),
        ("bar", (3, 1), 0xFFF, "a card is in two places"),
        ("line_size", (3,), 5, "five animals|a card"),
        ("ply", (3,), 9, "turns are miscounted"),
        ("deck_size", (3, 1), 0, "a card is missing"),
    ],
)
def test_a_broken_position_is_found(
    soak: ModuleType, field: str, place: tuple[int, ...], value: int, said: str
) -> None:
    batch = GameBatch(8, 1)
    for _ in range(6):
        batch.step(batch.opponent_actions("random", 1).astype(np.int64))
    states = batch.packed().view(soak.LAYOUT)[:, 0]
    soak.check_position(batch, states, 6)
    states[field][place] = value
    with pytest.raises(soak.Broken, match=said):
        soak.check_position(batch, states, 6)


@pytest.mark.parametrize(
    ("field", "said"),
    [("bar", "came back from the bar"), ("out", "came back from the out"), ("hand", "hand changed|card was")],
)
def test_a_broken_turn_is_found(soak: ModuleType, field: str, said: str) -> None:
    batch = GameBatch(64, 1)
    for _ in range(12):
        batch.step(batch.opponent_actions("random", 1).astype(np.int64))
    before = batch.packed().view(soak.LAYOUT)[:, 0]
    batch.step(batch.opponent_actions("random", 1).astype(np.int64))
    after = batch.packed().view(soak.LAYOUT)[:, 0]
    soak.check_turn(batch, before, after)
    after[field][:] = 0
    with pytest.raises(soak.Broken, match=said):
        soak.check_turn(batch, before, after)


def test_a_run_is_watched(soak: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    soak.run(minutes=0.05, games=8, steps=1)
    assert "iterations" in capsys.readouterr().out


@pytest.mark.slow
def test_an_iteration_leaves_nothing_behind() -> None:
    """A list that grows, or one more name in the log for each past checkpoint."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "soak.py"), "objects"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert len(counted) == 4 and counted[3] - counted[1] < 30, counted
