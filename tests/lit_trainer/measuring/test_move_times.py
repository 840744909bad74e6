"""Times a move: what is divided by what, and on which positions."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lit_trainer.measuring.move_times import time_moves
from lit_trainer.measuring.positions import sample_positions
from lit_trainer.players.protocols import Moves
from sim_core import GameBatch, get_game


class Sleeper:
    """Takes a time for every call and a time for every position."""

    def __init__(self, call: float, position: float) -> None:
        self.call, self.position = call, position

    def act(self, batch: GameBatch) -> Moves:
        time.sleep(self.call + self.position * len(batch))
        return Moves(np.zeros(len(batch), dtype=np.int64))


@pytest.mark.parametrize("game", ["beasty_bar", "connect_four"])
def test_positions_are_of_every_ply(game: str) -> None:
    """Positions of openings only, or of games that are over."""
    positions = sample_positions(game, 252, 3)
    counts = np.bincount(positions.ply, minlength=get_game(game).max_plies)
    assert not positions.is_terminal.any()
    assert 100 < len(positions) <= 252
    assert (counts[: get_game(game).max_plies // 2] > 0).all() and counts.max() <= 252 / len(counts) + 1
    assert set(positions.to_move.tolist()) == {0, 1}
    again = sample_positions(game, 252, 3)
    assert (again.packed() == positions.packed()).all()
    assert (sample_positions(game, 252, 4).packed()[-50:] != positions.packed()[-50:]).any()


def test_time_is_a_move_s_not_a_call_s() -> None:
    positions = sample_positions("beasty_bar", 64, 1)
    found = time_moves(Sleeper(call=0.02, position=0.001), positions)
    assert 1 + 20 / 64 <= found.batched < 10  # a busy machine may take longer, never less
    assert 21 <= found.alone < 100
