"""Provides batches and positions for the engine's tests, and measures how far counts are from chance."""

from __future__ import annotations

import math
import random
from functools import cache

import numpy as np
from reference import rules as reference

from sim_core import GameBatch, State, c_state_to_python, select_random_action

CARD_ORDER = "LHCSGZEXMKPU"  # strongest first


def played(batch: GameBatch, plies: int | np.ndarray) -> GameBatch:
    """Plays random moves up to the given plies, in place, and returns the batch."""
    target = np.broadcast_to(plies, len(batch))
    while (going := (batch.ply < target) & ~batch.is_terminal).any():
        batch.step(np.array([select_random_action(batch, i) if on else -1 for i, on in enumerate(going)]))
    return batch


def texts(batch: GameBatch) -> list[str]:
    return [str(c_state_to_python(batch, i)) for i in range(len(batch))]


@cache
def positions(count: int = 200, seed: int = 3) -> tuple[reference.Position, ...]:
    """Returns positions of random games, at every ply from 0 to the end in turn."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        position = reference.random_deal(rng, first_player=number // 25 % 2)
        for _ in range(number % 25):
            position = reference.step(position, rng.choice(reference.legal_actions(position)))
        found.append(position)
    return tuple(found)


def states(count: int = 200, seed: int = 3) -> list[State]:
    return [State.parse(reference.format(position)) for position in positions(count, seed)]


def excess(observed: np.ndarray, expected: np.ndarray | float, freedom: int) -> float:
    """Returns Pearson's chi-squared, in standard deviations from its expected value."""
    chi_squared = float(((observed - expected) ** 2 / expected).sum())
    return (chi_squared - freedom) / math.sqrt(2 * freedom)
