"""What searches play: forced lines in connect four, chance opponents, and nothing that a mover cannot see."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from reference.search import Answer, scrambled

from sim_core import GameBatch, State, search

ROOTS: dict[str, dict[str, Any]] = {
    "puct": {},
    "puct, completed Q": {"policy_target": "completed_q"},
    "gumbel": {"root_selection": "gumbel", "policy_target": "completed_q", "c_scale": 0.3},
    "gumbel, noisy": {"root_selection": "gumbel", "gumbel_scale": 1.0, "c_scale": 1.0},
    "determinized": {"determinizations": 2},
}


def neutral(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
    return np.zeros(legal_mask.shape, np.float32), np.zeros(len(observations), np.float32)


# ---------------------------------------------------------------------- connect four

FORCED = [
    # text, plies until the win, winning columns
    ("7/7/7/7/OOO4/XXX4 0 6", 1, {"4"}),  # across
    ("7/7/7/1XO4/1XO4/1XO4 0 6", 1, {"2"}),  # up
    ("7/7/7/2XX3/1XOO3/XOOX2O 0 10", 1, {"4"}),  # rising
    ("7/7/7/3OO2/3XXO1/X2OXXO 1 10", 1, {"4"}),  # falling
    ("7/7/7/7/2OO3/2XX3 0 4", 3, {"2", "5"}),  # three with both ends open
    ("7/7/7/7/2XX3/2OO3 1 4", 3, {"2", "5"}),  # the same of the other player
]
BLOCKS = [
    ("7/7/7/7/OO5/XXX4 1 5", {"4"}),
    ("7/7/7/X6/XO5/XO5 1 5", {"1"}),
    ("7/7/7/7/XX5/OOO4 0 5", {"4"}),
]


@cache
def wins_in(state: State, plies: int) -> bool:
    """Returns whether the player to move can force a win within some plies, by trying everything."""
    for action in state.legal_actions():
        after = state.step(action)
        if after.is_terminal:
            if after.winner() == state.to_move:
                return True
        elif plies >= 3 and all(
            not (reply := after.step(answer)).is_terminal and wins_in(reply, plies - 2)
            for answer in after.legal_actions()
        ):
            return True
    return False


def winning_columns(state: State, plies: int) -> set[str]:
    """Returns the columns after which the win still comes within the plies."""
    found = set()
    for action in state.legal_actions():
        after = state.step(action)
        if after.is_terminal:
            won = after.winner() == state.to_move
        else:
            replies = [after.step(answer) for answer in after.legal_actions()]
            won = plies >= 3 and all(not reply.is_terminal and wins_in(reply, plies - 2) for reply in replies)
        if won:
            found.add(str(action))
    return found


def four(text: str) -> State:
    return State.parse(text, game="connect_four")


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize(("text", "plies", "columns"), FORCED)
def test_forced_wins_are_found(text: str, plies: int, columns: set[str], root: str) -> None:
    state = four(text)
    right = winning_columns(state, plies)
    assert right == columns, "the position is another than it says"
    assert plies == 1 or not winning_columns(state, plies - 2)
    found = search(GameBatch.from_states([state] * 10), neutral, 100 if plies == 1 else 1500, seed=3, **ROOTS[root])
    assert {str(action + 1) for action in found.actions} <= right
    if "gumbel" not in root:  # there the value is of all the actions that halving tried
        assert found.value.min() > 0.3


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize(("text", "columns"), BLOCKS)
def test_wins_of_the_other_are_blocked(text: str, columns: set[str], root: str) -> None:
    state = four(text)
    lasting = {str(action) for action in state.legal_actions() if not wins_in(state.step(action), 1)}
    assert lasting == columns
    found = search(GameBatch.from_states([state] * 10), neutral, 400, seed=3, **ROOTS[root])
    assert {str(action + 1) for action in found.actions} == columns


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_forced_wins_of_random_positions_are_found(root: str) -> None:
    """Fails if a forced win in one or three plies is missed, of either player, anywhere on the board."""
    batch = GameBatch(1200, 5, game="connect_four", first_player=np.arange(1200) // 12 % 2)
    for ply in range(20):
        going = (8 + np.arange(1200) % 12 > ply) & ~batch.is_terminal
        batch.step(np.where(going, batch.opponent_actions("random", 3), -1))
    states = [batch.state(row) for row in range(1200) if not batch.is_terminal[row]]
    for plies, least, simulations in ((1, 100, 100), (3, 10, 2000)):
        chosen = [state for state in states if wins_in(state, plies) and (plies == 1 or not wins_in(state, 1))]
        assert len(chosen) >= least and {state.to_move for state in chosen} == {0, 1}
        found = search(GameBatch.from_states(chosen), neutral, simulations, seed=3, **ROOTS[root])
        right = [
            str(action + 1) in winning_columns(state, plies)
            for action, state in zip(found.actions, chosen, strict=True)
        ]
        assert np.mean(right) == 1.0 if plies == 1 else np.mean(right) > 0.9


# ---------------------------------------------------------------------- against chance


def score_against_random(game: str, games: int, simulations: int, **settings: Any) -> float:
    """Returns the share of the points over deals played from both seats."""
    numbers = np.arange(games)
    batch = GameBatch(games, 31, game=game, streams=numbers // 2, first_player=numbers // 2 % 2)
    while not batch.is_terminal.all():
        actions = batch.opponent_actions("random", 1).astype(np.int64)
        rows = np.flatnonzero((batch.to_move == numbers % 2) & ~batch.is_terminal)
        if len(rows):
            actions[rows] = search(batch.take(rows), neutral, simulations, seed=1, threads=2, **settings).actions
        batch.step(actions)
    outcomes = batch.outcomes() * np.where(numbers % 2 == 0, 1, -1)
    return float((outcomes.mean() + 1) / 2)


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_search_without_knowledge_beats_random_at_connect_four(root: str) -> None:
    assert score_against_random("connect_four", 100, 200, **ROOTS[root]) >= 0.9


@pytest.mark.parametrize(("root", "least"), [("puct", 0.9), ("gumbel", 0.8)])
def test_search_without_knowledge_beats_random(root: str, least: float) -> None:
    """Fails if search without a network, which has only the endgame's exact values, does not beat random play."""
    assert score_against_random("beasty_bar", 200, 800, **ROOTS[root]) >= least


# ---------------------------------------------------------------------- hidden cards

SETTINGS: list[dict[str, Any]] = [
    {"nodes": "private"},
    {"availability": True},
    {"nodes": "private", "availability": True, "dirichlet_fraction": 0.25},
    {"exact_leaves": False},
    {"policy_target": "completed_q"},
    {"root_selection": "gumbel"},
    {"root_selection": "gumbel", "gumbel_scale": 1.0, "policy_target": "completed_q", "nodes": "private"},
    {"determinizations": 1},
    {"determinizations": 6},
    {"determinizations": 3, "dirichlet_fraction": 0.25},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_what_the_mover_cannot_see_changes_nothing(settings: dict[str, Any]) -> None:
    """Fails if hidden cards change the result, for example by nodes of a hand that was not drawn anew."""
    batch = GameBatch(64, 9)
    for ply in range(15):
        batch.step(np.where(np.arange(64) % 16 > ply, batch.opponent_actions("random", 2), -1))
    states = [batch.state(row) for row in range(64)]
    true = search(GameBatch.from_states(states), scrambled, 32, seed=5, **settings)
    changed = 0
    for seed in range(3):
        others = [state.determinize(seed) for state in states]
        changed += sum(other != state for other, state in zip(others, states, strict=True))
        found = search(GameBatch.from_states(others), scrambled, 32, seed=5, **settings)
        assert all((a == b).all() for a, b in zip(found, true, strict=True))
    assert changed > 150
