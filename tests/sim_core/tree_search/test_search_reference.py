"""The C search against a slow tree in plain Python, visit for visit."""

from __future__ import annotations

import random
from typing import Any

import pytest
from reference import rules as reference
from reference.gumbel import Gumbel, SlowGumbelSearch
from reference.search import Plain, SlowNode, determinized, scrambled, slow_simulation, small_position, stream

from sim_core import ACTIONS, GameBatch, SearchResult, SearchSettings, State, search

SEED = 17


def twelve_positions(hand: int, decks: tuple[int, int]) -> tuple[list[reference.Position], GameBatch]:
    rng = random.Random(100 * hand + decks[0])
    positions = [small_position(rng, hand, decks, ply=10 + k % 2) for k in range(12)]
    return positions, GameBatch.from_states([State.parse(reference.format(position)) for position in positions])


def counts_of(found: SearchResult, row: int, root: SlowNode) -> dict[str, int]:
    return {text: int(found.visit_counts[row, k]) for k, text in enumerate(ACTIONS) if text in root.visits}


def splits(node: SlowNode) -> int:
    """Edges below that lead to several nodes, by what their player alone knew."""
    edges = [action for action, _ in node.children]
    return len(edges) - len(set(edges)) + sum(map(splits, node.children.values()))


@pytest.mark.parametrize(
    ("hand", "decks", "settings"),
    [
        (2, (3, 3), {}),
        (3, (2, 1), {}),
        (2, (2, 3), {"c_puct": 0.4}),
        (1, (6, 6), {"c_puct": 3.0}),
        (3, (1, 1), {}),
        (2, (3, 3), {"nodes": "private"}),
        (3, (3, 2), {"nodes": "private", "c_puct": 0.5}),
        (2, (3, 3), {"availability": True}),
        (1, (6, 6), {"availability": True, "c_puct": 3.0}),
        (2, (2, 3), {"exact_leaves": False}),
        (3, (1, 1), {"exact_leaves": False, "c_puct": 0.4}),
        (2, (3, 3), {"nodes": "private", "availability": True, "exact_leaves": False}),
    ],
)
def test_a_plain_tree_finds_the_same(hand: int, decks: tuple[int, int], settings: dict[str, Any]) -> None:
    """Fails if priors, first-play value, signs, re-evaluation or determinization differ from the documentation."""
    positions, batch = twelve_positions(hand, decks)
    simulations, plain = 60, Plain(**settings)
    found = search(batch, scrambled, simulations, seed=SEED, **settings)
    evaluated_again = split = 0
    for i, position in enumerate(positions):
        words = stream(SEED, 3, i, position.ply)
        root = SlowNode()
        slow_simulation(root, position, plain, True)
        total = 0.0
        for _ in range(simulations):
            total += slow_simulation(root, determinized(position, words), plain, True)
        assert counts_of(found, i, root) == root.visits, reference.format(position)
        assert abs(found.value[i] - total / simulations) < 1e-5
        evaluated_again += sum(len(child.evaluations) > 1 for child in root.children.values())
        split += splits(root)
    if plain.nodes == "private":
        # a node that knows its player's hand has all its actions from the first
        assert split and not evaluated_again
    else:
        assert not split and (evaluated_again or decks == (1, 1))


@pytest.mark.parametrize("gumbel_scale", [0.0, 1.0])
@pytest.mark.parametrize(
    ("hand", "decks", "simulations", "max_considered", "settings"),
    [
        (3, (3, 2), 16, 16, {}),
        (4, (2, 2), 8, 16, {}),
        (3, (2, 1), 33, 4, {"c_scale": 0.5}),
        (3, (3, 3), 60, 3, {"nodes": "private", "c_visit": 10.0, "c_scale": 1.0}),
        (2, (3, 3), 21, 2, {"availability": True}),
        (3, (1, 1), 5, 1, {"exact_leaves": False}),
        (4, (4, 4), 2, 16, {}),
    ],
)
def test_a_plain_gumbel_root_finds_the_same(
    gumbel_scale: float,
    hand: int,
    decks: tuple[int, int],
    simulations: int,
    max_considered: int,
    settings: dict[str, Any],
) -> None:
    """Fails if noise, halving, the mixed value, completed Q or the chosen action differ from the reference."""
    positions, batch = twelve_positions(hand, decks)
    settings = {"c_visit": 50.0, "c_scale": 0.1} | settings
    below = {name: value for name, value in settings.items() if name not in ("c_visit", "c_scale")}
    gumbel = Gumbel(gumbel_scale, max_considered, settings["c_visit"], settings["c_scale"])
    whole = SearchSettings(
        root_selection="gumbel", gumbel_scale=gumbel_scale, max_considered=max_considered, **settings
    )
    found = search(batch, scrambled, simulations, seed=SEED, settings=whole)
    completed = search(batch, scrambled, simulations, seed=SEED, settings=whole, policy_target="completed_q")
    assert (completed.visit_counts == found.visit_counts).all() and (completed.actions == found.actions).all()
    for i, position in enumerate(positions):
        slow = SlowGumbelSearch(position, Plain(**below), gumbel, stream(SEED, 3, i, position.ply))
        slow.run(simulations)
        assert counts_of(found, i, slow.root) == slow.root.visits, reference.format(position)
        assert ACTIONS[found.actions[i]] == slow.settled
        assert abs(found.value[i] - slow.total / simulations) < 1e-5
        shares = {action: n / simulations for action, n in slow.root.visits.items()}
        for policy, expected in ((found.policy[i], shares), (completed.policy[i], slow.policy)):
            for k, text in enumerate(ACTIONS):
                assert abs(policy[k] - expected.get(text, 0.0)) < 1e-4, (text, reference.format(position))
