"""Positions for measurements: of all plies alike, and the same from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from lit_trainer.measuring.positions import sample_positions
from sim_core import get_game


def test_each_ply_has_as_many_positions_and_either_side_began() -> None:
    plies = get_game("beasty_bar").max_plies
    found = sample_positions("beasty_bar", 8 * plies, seed=3)
    assert np.bincount(found.ply).tolist() == [8] * plies
    assert not found.is_terminal.any()
    assert 0.3 < found.to_move.mean() < 0.7


@pytest.mark.parametrize("game", ["beasty_bar", "connect_four"])
def test_the_seed_decides(game: str) -> None:
    """Fails if positions do not follow the seed. Games that end early give fewer of them."""
    first, again, other = (sample_positions(game, 100, seed).packed() for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    assert 40 <= len(first) <= 100
