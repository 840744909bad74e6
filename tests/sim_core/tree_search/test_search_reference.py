"""The C search against a slow tree in plain Python, visit for visit."""

from __future__ import annotations

import random
from typing import Any

import pytest
from reference import rules as reference
from reference.gumbel import Gumbel, SlowGumbelSearch
from reference.search import (
    Plain,
    SlowNode,
    Told,
    best_response,
    determinized,
    scrambled,
    slow_simulation,
    small_position,
    stream,
)

from sim_core import ACTIONS, GameBatch, SearchResult, SearchSettings, State, search

SEED = 17


def twelve_positions(hand: int, decks: tuple[int, int]) -> tuple[list[reference.Position], GameBatch]:
    rng = random.Random(100 * hand + decks[0])
    positions = [small_position(rng, hand, decks, ply=10 + k % 2) for k in range(12)]
    return positions, GameBatch.from_states([State.parse(reference.format(position)) for position in positions])


def told_positions(hand: int, deck: int) -> tuple[list[reference.Position], GameBatch]:
    """Positions from which a game ends at ply 24, because a best response counts the turns that are left."""
    rng = random.Random(10 * hand + deck)
    left = [2 * (hand + deck) + k % 2 for k in range(6)]
    positions = [small_position(rng, hand, (deck, deck + n % 2), ply=24 - n) for n in left]
    return positions, GameBatch.from_states([State.parse(reference.format(position)) for position in positions])


def counts_of(found: SearchResult, row: int, root: SlowNode) -> dict[str, int]:
    return {text: int(found.visit_counts[row, k]) for k, text in enumerate(ACTIONS) if text in root.visits}


def splits(node: SlowNode) -> int:
    """Edges below that lead to several nodes, by the opponent's replies and what their player alone knew."""
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


OPPONENTS = ("random", "heuristic", "skunk", "noisy", "online", "distilled_outcome")


@pytest.mark.parametrize("name", OPPONENTS)
@pytest.mark.parametrize(
    ("hand", "deck", "settings"),
    [
        (2, 2, {}),
        (3, 1, {"c_puct": 0.4}),
        (4, 0, {"availability": True}),
        (2, 2, {"nodes": "private", "c_puct": 3.0}),
        (2, 2, {"exact_leaves": False}),
        (2, 1, {"nodes": "private", "availability": True, "exact_leaves": False}),
    ],
)
def test_a_plain_tree_told_its_opponent_finds_the_same(
    name: str, hand: int, deck: int, settings: dict[str, Any]
) -> None:
    """Fails if replies, ties, the nodes behind them, signs or best responses differ from the documentation."""
    positions, batch = told_positions(hand, deck)
    simulations, plain = 40, Plain(**settings)
    found = search(batch, scrambled, simulations, seed=SEED, opponents=name, **settings)
    searched = split = 0
    for i, position in enumerate(positions):
        words = stream(SEED, 3, i, position.ply)
        told = Told(name, position.to_move, words)
        if told.is_solved(position):
            continue
        root = SlowNode()
        slow_simulation(root, position, plain, True)
        total = 0.0
        for _ in range(simulations):
            total += slow_simulation(root, determinized(position, words), plain, True, told=told)
        assert counts_of(found, i, root) == root.visits, reference.format(position)
        assert abs(found.value[i] - total / simulations) < 1e-5
        searched += 1
        split += splits(root)
    assert searched and (split or (deck == 0 and name not in ("random", "noisy")))


@pytest.mark.parametrize("name", OPPONENTS)
@pytest.mark.parametrize(
    ("hand", "deck", "settings"),
    [(3, 1, {}), (2, 2, {"nodes": "private", "c_scale": 1.0}), (3, 1, {"exact_leaves": False, "max_considered": 2})],
)
def test_a_plain_gumbel_root_told_its_opponent_finds_the_same(
    name: str, hand: int, deck: int, settings: dict[str, Any]
) -> None:
    """Fails if halving, the mixed value or completed Q take the opponent's replies for choices."""
    positions, batch = told_positions(hand, deck)
    root = {"max_considered": 16, "c_visit": 50.0, "c_scale": 0.1}
    below = {key: value for key, value in settings.items() if key not in root}
    gumbel = Gumbel(1.0, **(root | {key: value for key, value in settings.items() if key in root}))
    whole = SearchSettings(root_selection="gumbel", policy_target="completed_q", gumbel_scale=1.0, **(root | settings))
    found = search(batch, scrambled, 24, seed=SEED, settings=whole, opponents=name)
    for i, position in enumerate(positions):
        words = stream(SEED, 3, i, position.ply)
        told = Told(name, position.to_move, words)
        assert not told.is_solved(position)
        slow = SlowGumbelSearch(position, Plain(**below), gumbel, words, told)
        slow.run(24)
        assert counts_of(found, i, slow.root) == slow.root.visits, reference.format(position)
        assert ACTIONS[found.actions[i]] == slow.settled
        assert abs(found.value[i] - slow.total / 24) < 1e-5
        for k, text in enumerate(ACTIONS):
            assert abs(found.policy[i, k] - slow.policy.get(text, 0.0)) < 1e-4, (text, reference.format(position))


@pytest.mark.parametrize("name", OPPONENTS)
def test_a_root_told_its_opponent_is_solved_as_by_plain_expectimax(name: str) -> None:
    """Fails if the value of a solved root, or the actions that keep it, are not those of the best response."""
    positions, batch = told_positions(3, 0)
    found = search(batch, scrambled, 5, opponents=name)
    for i, position in enumerate(positions):
        after = {
            action: best_response(reference.step(position, action), name, position.to_move)
            for action in reference.legal_actions(position)
        }
        best = {action for action, value in after.items() if value > max(after.values()) - 1e-6}
        if Told(name, position.to_move, iter(())).is_solved(position):
            assert abs(found.value[i] - max(after.values())) < 1e-6
            assert {ACTIONS[k] for k in found.policy[i].nonzero()[0]} == best
