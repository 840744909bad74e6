"""Solved positions: all actions that keep the value, and the one hardest to answer."""

from __future__ import annotations

import numpy as np
import pytest
from reference.minimax import minimax
from reference.search import scrambled

from sim_core import Belief, Beliefs, GameBatch, get_game, search


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


def response_value(state: bytes, game: str, opponent: str, searcher: int) -> float:
    """The searcher's value of the best response, by plain expectimax."""
    rules = get_game(game)
    if rules.is_terminal(state):
        return float(rules.outcome(state, searcher))
    after = {
        action: response_value(rules.step(state, action), game, opponent, searcher)
        for action in rules.legal_actions(state)
    }
    if rules.to_move(state) == searcher:
        return max(after.values())
    policy = rules.opponent_policy(opponent, state)
    return sum(float(policy[action]) * value for action, value in after.items())


@pytest.mark.parametrize(
    ("game", "opponents", "plies"),
    [
        ("beasty_bar", ("distilled_outcome", "heuristic", "online", "random", "noisy"), 4),
        ("connect_four", ("random", "tactical"), 4),
    ],
)
def test_the_best_response_is_that_of_plain_expectimax(game: str, opponents: tuple[str, ...], plies: int) -> None:
    """Fails if ties or draws are weighted wrongly, a win cuts off too early, or the sides are exchanged."""
    rules = get_game(game)
    fractions = better = 0
    for opponent in opponents:
        batch = GameBatch(400, 5, game=game)
        while (going := ~batch.is_terminal & (batch.ply < rules.max_plies - plies)).any():
            batch.step(np.where(going, batch.opponent_actions("random", 3), -1))
        for row in np.flatnonzero(~batch.is_terminal & batch.is_solvable)[:25]:
            state = batch.state(row).data
            mover = rules.to_move(state)
            after = {
                action: response_value(rules.step(state, action), game, opponent, mover)
                for action in rules.legal_actions(state)
            }
            value, best = rules.best_responses(opponent, state)
            assert value == pytest.approx(max(after.values()), abs=1e-6)
            assert best == tuple(action for action, one in after.items() if one > max(after.values()) - 1e-6)
            assert value >= rules.solve(state)[0] - 1e-6
            better += value > rules.solve(state)[0] + 1e-6
            fractions += abs(value - round(value)) > 1e-6
    assert better and fractions


def minimax_value(state: bytes, game: str, searcher: int) -> float:
    rules = get_game(game)
    value: float = minimax(state, game, {}) if not rules.is_terminal(state) else rules.outcome(state, searcher)
    return value if rules.is_terminal(state) or rules.to_move(state) == searcher else -value


def observed(
    opponent: str, names: tuple[str | None, ...], plies: int, count: int
) -> tuple[GameBatch, Beliefs, list[Belief]]:
    """Returns games of an opponent against random play, and what player 0 believes in them."""
    beliefs, batch = Beliefs("beasty_bar", count, len(names)), GameBatch(count, 5, first_player=0)
    held = [Belief("beasty_bar", batch.state(k).data, 0, names, 0.01, beliefs, k) for k in range(count)]
    for ply in range(plies):
        actions = batch.opponent_actions(opponent if ply % 2 else "random", 3)
        for k, belief in enumerate(held):
            belief.observe(batch.state(k).data, int(actions[k]), 0.3)
        batch.step(actions)
    return batch, beliefs, held


def test_where_the_opponent_is_in_doubt_a_root_has_the_mean_of_its_values() -> None:
    """Fails if an opponent's share is another one's, or nobody known does not play its best."""
    rules, mixed, fractions = get_game("beasty_bar"), 0, 0
    batch, beliefs, held = observed("noisy", ("distilled_outcome", "noisy", "random", None), 20, 80)
    found = search(batch, scrambled, 4, beliefs=beliefs)
    for k, belief in enumerate(held):
        state, shares = batch.state(k).data, belief.opponent_probabilities()
        after = {action: rules.step(state, action) for action in rules.legal_actions(state)}
        values = {
            action: sum(
                share * (response_value(then, "beasty_bar", name, 0) if name else minimax_value(then, "beasty_bar", 0))
                for name, share in shares.items()
            )
            for action, then in after.items()
        }
        best = max(values.values())
        assert found.value[k] == pytest.approx(best, abs=1e-5)
        assert set(np.flatnonzero(found.policy[k])) == {a for a, value in values.items() if value > best - 1e-6}
        mixed += max(shares.values()) < 0.9
        fractions += abs(best - round(best)) > 1e-3
    assert mixed > 5 and fractions > 3


def test_opponents_stand_in_the_way_of_exact_values_unless_they_are_rare() -> None:
    """From ply 16 the response to `distilled_outcome` is known, that to `random` later."""
    rules = get_game("beasty_bar")
    batch, beliefs, held = observed("distilled_outcome", ("distilled_outcome", "random"), 16, 60)
    found, solved = search(batch, scrambled, 40, beliefs=beliefs), []
    for k, belief in enumerate(held):
        value, best = rules.best_responses("distilled_outcome", batch.state(k).data)
        if belief.opponent_probabilities()["random"] < 0.05:
            assert (found.value[k], set(np.flatnonzero(found.policy[k]))) == (value, set(best))
            solved.append(k)
    assert len(solved) > 40
    batch, beliefs, held = observed("random", ("distilled_outcome", "random"), 16, 60)
    found = search(batch, scrambled, 40, beliefs=beliefs)
    waiting = [k for k, belief in enumerate(held) if belief.opponent_probabilities()["random"] > 0.05]
    # a searched value is a mean over simulations
    assert len(waiting) > 30 and np.abs(found.value[waiting] - np.round(found.value[waiting])).mean() > 0.05


def test_a_best_response_that_cannot_be_computed_is_refused() -> None:
    rules = get_game("beasty_bar")
    start = rules.initial(1)
    with pytest.raises(ValueError, match=r"^state: beasty_bar cannot solve this position yet"):
        rules.best_responses("heuristic", start)
    batch = GameBatch(1, 5)
    while not batch.is_solvable[0]:
        batch.step(batch.opponent_actions("random", 3))
    state = batch.state(0).data
    assert rules.best_responses("heuristic", state)[1]
    with pytest.raises(ValueError, match=r"^state: too many turns before the end for the best response to random$"):
        rules.best_responses("random", state)
    with pytest.raises(ValueError, match=r"^name: 'nobody' given, beasty_bar has no such opponent"):
        rules.best_responses("nobody", state)
