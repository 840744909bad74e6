"""Solved positions: all actions that keep the value, and the one hardest to answer."""

from __future__ import annotations

import numpy as np
from reference.minimax import minimax
from reference.search import scrambled

from sim_core import GameBatch, get_game, search


def test_connect_four_knows_all_its_best_actions() -> None:
    """Fails if best actions are missing in a game that answers by `solve` alone."""
    rules = get_game("connect_four")
    batch = GameBatch(1_500, 2, game="connect_four")
    while (going := ~batch.is_terminal & ~batch.is_solvable).any():
        batch.step(np.where(going, batch.opponent_actions("random", 3), -1))
    several = 0
    for row in np.flatnonzero(~batch.is_terminal)[:100]:
        state = batch.state(row).data
        known: dict[bytes, int] = {}
        exact = minimax(state, "connect_four", known)
        after = {action: -known[rules.step(state, action)] for action in rules.legal_actions(state)}
        best = tuple(action for action, value in after.items() if value == exact)
        assert rules.optimal_actions(state) == (exact, best)
        several += 1 < len(best) < len(after)
    assert several >= 3


def mean_reply(state: bytes, game: str, mover: int) -> float:
    """The mover's mean value over the opponent's replies, all of them as likely."""
    rules = get_game(game)
    if rules.is_terminal(state):
        return float(rules.outcome(state, mover))
    values = []
    for action in rules.legal_actions(state):
        after = rules.step(state, action)
        sign = 1 if rules.is_terminal(after) or rules.to_move(after) == mover else -1
        value = rules.outcome(after, mover) if rules.is_terminal(after) else sign * rules.solve(after)[0]
        values.append(value)
    return sum(values) / len(values)


def test_a_solved_root_plays_what_is_hardest_to_answer() -> None:
    """Fails if a solved root takes any best action, and not the one that is hardest to answer."""
    rules = get_game("beasty_bar")
    batch = GameBatch(300, 5)
    while batch.ply[0] < 16:
        batch.step(batch.opponent_actions("random", 3))
    found = search(batch, scrambled, 1)
    choices = 0
    for row in range(len(batch)):
        state = batch.state(row).data
        mover = rules.to_move(state)
        _, best = rules.optimal_actions(state)
        means = [mean_reply(rules.step(state, action), "beasty_bar", mover) for action in best]
        assert found.actions[row] == best[int(np.argmax(np.round(means, 9)))]  # of equal ones the first
        choices += len(set(np.round(means, 9))) > 1
    assert choices > 50
