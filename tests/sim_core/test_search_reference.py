"""The C search against a slow tree in plain Python, visit for visit."""

from __future__ import annotations

import random

import pytest
import reference
from reference_search import SlowNode, determinized, scrambled, slow_simulation, small_position, stream

from sim_core import ACTIONS, GameBatch, State, search


@pytest.mark.parametrize(
    ("hand", "decks", "c_puct"),
    [(2, (3, 3), 1.5), (3, (2, 1), 1.5), (2, (2, 3), 0.4), (1, (6, 6), 3.0), (3, (1, 1), 1.5)],
)
def test_a_plain_tree_finds_the_same(hand: int, decks: tuple[int, int], c_puct: float) -> None:
    """Priors, first-play value, signs, re-evaluation and determinization, each by the words of the documentation."""
    rng = random.Random(100 * hand + decks[0])
    positions = [small_position(rng, hand, decks, ply=10 + k % 2) for k in range(12)]
    simulations, seed = 60, 17
    batch = GameBatch.from_states([State.parse(reference.format(position)) for position in positions])
    found = search(batch, scrambled, simulations, seed=seed, c_puct=c_puct)
    evaluated_again = 0
    for i, position in enumerate(positions):
        words = stream(seed, 3, i, position.ply)
        root = SlowNode()
        slow_simulation(root, position, c_puct, True)
        total = 0.0
        for _ in range(simulations):
            total += slow_simulation(root, determinized(position, words), c_puct, True)
        counts = {text: int(found.visit_counts[i, k]) for k, text in enumerate(ACTIONS) if text in root.visits}
        assert counts == root.visits, reference.format(position)
        assert abs(found.value[i] - total / simulations) < 1e-5
        evaluated_again += sum(len(child.evaluations) > 1 for child in root.children.values())
    assert evaluated_again or decks == (1, 1)
