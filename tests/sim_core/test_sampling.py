"""Random openings of the runner's games. What is drawn from policies is held by the plain loop of test_runner.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.runner_tools import GAMES, OUTSIDE, leaves_for, plan, runner_for

from sim_core import GameBatch, get_game


def opened(game: str, plies: int, streams: np.ndarray, first_player: np.ndarray | None = None, threads: int = 1) -> Any:
    """The positions in which the players of each game take over."""
    games = len(streams)
    wanted = plan(game, games, 0, opponents=(OUTSIDE,))._replace(
        streams=streams,
        first_player=np.zeros(games, dtype=np.int64) if first_player is None else first_player,
        controllers=np.ones((games, 2), dtype=np.int64),
    )
    runner = runner_for(wanted, leaves_for(wanted, games), opening_plies=plies, record=False)
    runner.advance(threads)
    return runner.positions(np.arange(games))


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("plies", [0, 1, 2, 5])
def test_an_opening_belongs_to_seed_and_stream(game: str, plies: int) -> None:
    """Openings that depend on the slot, the thread, or the other games."""
    streams = np.arange(40) // 2
    batch = opened(game, plies, streams)
    assert (batch.ply == plies).all() and not batch.is_terminal.any()
    assert (batch.packed()[::2] == batch.packed()[1::2]).all()
    order = np.random.default_rng(0).permutation(40)[:30]
    assert (opened(game, plies, streams[order], threads=3).packed() == batch.packed()[order]).all()
    if plies:
        assert len({row.tobytes() for row in batch.packed()}) > 4
    else:
        assert (batch.packed() == GameBatch(40, 5, game=game, streams=streams).packed()).all()
    # whoever begins, the same stones fall
    other = opened(game, plies, streams, np.ones(40, dtype=np.int64))
    if not get_game(game).deals_at_random:
        assert (other.observe() == batch.observe()).all() and (other.to_move != batch.to_move).all()


def test_openings_are_drawn_evenly() -> None:
    """Random plies that leave some moves out: all 49 of two plies come, each about as often."""
    found, counts = np.unique(opened("connect_four", 2, np.arange(4900)).packed(), axis=0, return_counts=True)
    assert len(found) == 49
    assert ((counts - 100) ** 2 / 100).sum() < 100, "48 degrees of freedom"


def test_no_opening_ends_a_game() -> None:
    """An opening as long as games may be: it goes around every move that wins, and stops where all moves end it."""
    batch = opened("connect_four", 41, np.arange(300))
    assert not batch.is_terminal.any() and batch.ply.max() == 41
    short = batch.ply < 41
    for state in (batch.state(row) for row in np.flatnonzero(short)):
        assert all(state.step(action).is_terminal for action in state.legal_actions())
