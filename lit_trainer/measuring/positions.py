"""Draws positions of a game for measurements."""

from __future__ import annotations

import numpy as np

from sim_core import GameBatch, get_game

POSITIONS = 256
"""Number of positions that a measurement uses."""


def sample_positions(game: str, n: int, seed: int) -> GameBatch:
    """Returns positions of games of random actions, equally many before each ply.

    Args:
        game: Name of the game.
        n: Number of positions. The result has fewer if games end early.
        seed: Random seed. The same seed gives the same positions.
    """
    plies = get_game(game).max_plies
    last = np.arange(n) * plies // n
    batch = GameBatch(n, seed, game=game, first_player=np.arange(n) % 2)
    draws = np.random.default_rng(seed)
    packed = []
    for ply in range(plies):
        here = last == ply
        packed.append(batch.packed()[here])
        going = np.flatnonzero(~here)
        batch, last = batch.take(going), last[going]
        if not len(batch):
            break
        legal = batch.legal_mask()
        batch.step(np.where(legal, draws.random(legal.shape), -1.0).argmax(axis=1))
        going = np.flatnonzero(~batch.is_terminal)
        batch, last = batch.take(going), last[going]
    return GameBatch.from_packed(np.concatenate(packed), game=game, seed=seed)
