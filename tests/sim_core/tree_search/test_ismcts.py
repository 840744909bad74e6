"""Plain information-set tree search: a slow tree that must agree, what it may see, its endgames and its strength."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from reference import rules as reference
from reference.ismcts import SlowNode, slow_iteration
from reference.search import Told, small_position, stream

from sim_core import ACTIONS, GameBatch, State, ismcts, solve_endgame

PURPOSE = 6


def played(batch: GameBatch, plies: int | np.ndarray) -> GameBatch:
    """The batch after random moves up to those plies; it is changed in place."""
    while (going := (batch.ply < plies) & ~batch.is_terminal).any():
        batch.step(np.where(going, batch.opponent_actions("random", 1), -1))
    return batch


def every_ply(n: int = 100, seed: int = 1, **options: Any) -> GameBatch:
    """Random positions at plies 0 to 24 in turn."""
    return played(GameBatch(n, seed, **options), np.arange(n) % 25)


def same(first: Any, second: Any) -> bool:
    return all((a == b).all() for a, b in zip(first, second, strict=True))


# ---------------------------------------------------------------------- the same tree, slowly


def check_against_slow(
    positions: list[reference.Position], iterations: int, c: float, exact: bool, opponent: str | None = None
) -> int:
    seed = 17
    batch = GameBatch.from_states([State.parse(reference.format(position)) for position in positions])
    found = ismcts(batch, iterations, seed=seed, c=c, exact_rollouts=exact, opponents=opponent)
    impossible = 0
    for i, position in enumerate(positions):
        words = stream(seed, PURPOSE, i, position.ply)
        told = None if opponent is None else Told(opponent, position.to_move, words)
        root = SlowNode()
        for _ in range(iterations):
            impossible += slow_iteration(root, position, words, c, exact, told)
        counts = {text: int(found.visit_counts[i, k]) for k, text in enumerate(ACTIONS) if found.visit_counts[i, k]}
        assert counts == {text: child.visits for text, child in root.children.items()}, reference.format(position)
        most = max(counts.values())
        assert ACTIONS[found.actions[i]] == next(text for text in ACTIONS if counts.get(text) == most)
        total = sum(child.outcomes for child in root.children.values())
        if exact and opponent:
            assert abs(found.value[i] - total / iterations) < 1e-6  # in best responses, probabilities are float32
        else:
            assert found.value[i] == np.float32(total / iterations)
    return impossible


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("hand", "decks", "c"), [(2, (3, 3), 1.2), (3, (2, 1), 1.2), (2, (2, 3), 0.4), (1, (4, 4), 3.0), (3, (1, 1), 0.0)]
)
def test_a_plain_tree_finds_the_same(hand: int, decks: tuple[int, int], c: float, exact: bool) -> None:
    """Fails if availability, new nodes, rollouts, signs or the solver differ from the documentation's words."""
    rng = random.Random(100 * hand + decks[0])
    positions = [small_position(rng, hand, decks, ply=10 + k % 2) for k in range(8)]
    assert check_against_slow(positions, 60, c, exact)


def test_a_plain_tree_finds_the_same_from_the_first_move_on() -> None:
    rng = random.Random(5)
    assert check_against_slow([reference.random_deal(rng, k % 2) for k in range(4)], 150, 1.2, False)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("opponent", ["random", "heuristic", "skunk", "noisy", "online", "distilled_outcome"])
@pytest.mark.parametrize(("hand", "deck", "c"), [(2, 2, 1.2), (3, 1, 0.4)])
def test_a_plain_tree_told_its_opponent_finds_the_same(
    hand: int, deck: int, c: float, exact: bool, opponent: str
) -> None:
    """Fails if replies, ties, the nodes behind them, signs or best responses differ from the documentation's words."""
    rng = random.Random(100 * hand + deck)
    positions = [small_position(rng, hand, (deck, deck + k), ply=24 - 2 * (hand + deck) - k) for k in (0, 1, 0, 1)]
    assert check_against_slow(positions, 60, c, exact, opponent)


# ---------------------------------------------------------------------- counts


@pytest.mark.parametrize("iterations", [1, 2, 33])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals"])
def test_counts_actions_and_value(game: str, exact: bool, iterations: int) -> None:
    batch = every_ply(game=game)
    over, legal = batch.is_terminal, batch.legal_mask()
    found = ismcts(batch, iterations, seed=3, exact_rollouts=exact)
    assert found.visit_counts.dtype == np.int32
    assert found.actions.dtype == np.int64
    assert found.value.dtype == np.float32
    assert found.visit_counts.shape == legal.shape
    assert found.actions.shape == found.value.shape == (len(batch),)
    assert (found.visit_counts[~legal] == 0).all()
    assert (found.visit_counts >= 0).all()
    assert (found.visit_counts.sum(axis=1) == np.where(over, 0, iterations)).all()
    assert (found.actions == np.where(over, -1, found.visit_counts.argmax(axis=1))).all()
    assert (np.abs(found.value) <= 1).all()
    assert (found.value[over] == 0).all()
    assert over.any() and not over.all()


def test_every_legal_action_of_the_root_is_tried() -> None:
    batch = played(GameBatch(64, 3), np.arange(64) % 16)
    found = ismcts(batch, 60)
    assert ((found.visit_counts > 0) == batch.legal_mask()).all()


def test_nothing_to_search() -> None:
    for batch in (GameBatch(0), played(GameBatch(3), 24)):
        found = ismcts(batch, 4, threads=2)
        assert found.visit_counts.shape == (len(batch), len(ACTIONS))
        assert not found.visit_counts.any() and not found.value.any() and (found.actions == -1).all()


def test_the_batch_is_left_as_it_was() -> None:
    batch, twin = every_ply(), every_ply()
    ismcts(batch, 20, threads=2)
    assert (batch.packed() == twin.packed()).all()
    batch.play_random()
    twin.play_random()
    assert (batch.packed() == twin.packed()).all()


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("game", ["beasty_bar", "connect_four"])
def test_threads_change_nothing(game: str, threads: int) -> None:
    batch = every_ply(150, game=game)
    assert same(ismcts(batch, 50, seed=5), ismcts(batch, 50, seed=5, threads=threads))


@pytest.mark.parametrize("game", ["beasty_bar", "connect_four"])
def test_rows_do_not_depend_on_the_others(game: str) -> None:
    """Fails if anything of one game is left in the memory that the next one uses."""
    batch = every_ply(75, game=game)
    whole = ismcts(batch, 50, seed=5)
    order = np.random.default_rng(0).permutation(75)
    assert same(ismcts(batch.take(order), 50, seed=5), (part[order] for part in whole))
    for row in range(75):
        assert same(ismcts(batch.take([row]), 50, seed=5), (part[[row]] for part in whole))


def test_streams_and_seed_are_all_that_tells_equal_positions_apart() -> None:
    state = State.initial(4)
    one_stream = ismcts(GameBatch.from_states([state] * 5, streams=7), 60, seed=1)
    assert len(np.unique(one_stream.visit_counts, axis=0)) == 1
    copies = GameBatch.from_states([state] * 40)
    counts = ismcts(copies, 60, seed=1).visit_counts
    assert len(np.unique(counts, axis=0)) > 20
    assert (counts[7] == one_stream.visit_counts[0]).all()
    assert (ismcts(copies, 60, seed=2).visit_counts != counts).any()


@pytest.mark.parametrize("exact", [False, True])
def test_what_the_mover_cannot_see_changes_nothing(exact: bool) -> None:
    """Fails if hidden cards change the result, as in a search of the true state."""
    batch = played(GameBatch(64, 9), np.arange(64) % 16)
    states = [batch.state(i) for i in range(64)]
    true = ismcts(batch, 100, seed=5, exact_rollouts=exact)
    changed = 0
    for seed in range(4):
        others = [state.determinize(seed) for state in states]
        changed += sum(other != state for other, state in zip(others, states, strict=True))
        assert same(ismcts(GameBatch.from_states(others), 100, seed=5, exact_rollouts=exact), true)
    assert changed > 200


# ---------------------------------------------------------------------- exact ends


@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals"])
def test_solved_roots_play_exactly(game: str) -> None:
    batch = played(GameBatch(96, 21, game=game), 16 + np.arange(96) % 8)
    found = ismcts(batch, 7)
    for i in range(96):
        state = batch.state(i)
        value = solve_endgame(state)[0]
        after = state.step(state.legal_actions()[[a.id for a in state.legal_actions()].index(int(found.actions[i]))])
        if after.is_terminal:
            kept = {None: 0, state.to_move: 1, 1 - state.to_move: -1}[after.winner()]
        else:
            kept = -solve_endgame(after)[0]
        assert found.value[i] == kept == value, str(state)
        assert found.visit_counts[i, found.actions[i]] == 7
    assert set(found.value.tolist()) == {-1.0, 0.0, 1.0} or game == "beasty_bar_animals"


def test_exact_rollouts_are_right_one_ply_before_the_end_is_solved() -> None:
    """At ply 15 the mover knows every card, so the best action is one of a full-information minimax; random rollouts
    would not find its value."""
    batch = played(GameBatch(40, 33), 15)
    found = ismcts(batch, 400, exact_rollouts=True)
    values = np.zeros(40)
    for i in range(40):
        state = batch.state(i)
        after = {action.id: -solve_endgame(state.step(action))[0] for action in state.legal_actions()}
        values[i] = max(after.values())
        assert after[int(found.actions[i])] == values[i], str(state)
    assert np.abs(found.value - values).max() < 0.5
    assert {-1.0, 1.0} <= set(values)


@pytest.mark.parametrize(
    ("text", "right", "iterations"),
    [
        ("7/7/7/7/OOO4/XXX4 0 6", {"4"}, 200),  # wins at once
        ("7/7/7/7/1OO4/1XXX3 1 5", {"1", "5"}, 200),  # lost either way, but only these last a move longer
        ("7/7/7/7/OO5/XXX4 1 5", {"4"}, 500),  # blocks
        ("7/7/7/7/2OO3/2XX3 0 4", {"2", "5"}, 2000),  # makes three with both ends open
    ],
)
def test_connect_four_forced_lines(text: str, right: set[str], iterations: int) -> None:
    states = [State.parse(text, game="connect_four")] * 20
    found = ismcts(GameBatch.from_states(states), iterations, seed=2)
    assert {str(action + 1) for action in found.actions} <= right


# ---------------------------------------------------------------------- strength


def score(iterations: int, opponent: str, games: int, seed: int, game: str = "beasty_bar") -> float:
    """Its share of the points over deals played from both seats."""
    numbers = np.arange(games)
    batch = GameBatch(games, seed, game=game, streams=numbers // 2, first_player=numbers // 2 % 2)
    while not (over := batch.is_terminal).all():
        mine = (batch.to_move == numbers % 2) & ~over
        actions = np.where(over, -1, batch.opponent_actions(opponent, seed))
        actions[mine] = ismcts(batch.take(np.flatnonzero(mine)), iterations, seed=seed, threads=2).actions
        batch.step(actions)
    outcomes = batch.outcomes() * np.where(numbers % 2 == 0, 1, -1)
    return float((outcomes.mean() + 1) / 2)


def test_it_nearly_always_beats_random() -> None:
    assert score(200, "random", 100, seed=31) > 0.93
    assert score(200, "random", 50, seed=31, game="connect_four") > 0.97
    assert score(200, "tactical", 50, seed=31, game="connect_four") > 0.8


@pytest.mark.slow
def test_it_beats_the_strongest_built_in_opponent() -> None:
    """Fails if it plays clearly worse than before: it scores 0.89, and the bound is four standard errors below."""
    assert score(1000, "outcome_heuristic", 300, seed=32) > 0.82


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("iterations", value) for value in (0, -1, 1.5, True, "8", None, 10**7)],
        *[("c", value) for value in (-1.0, math.nan, math.inf, "1", True, None)],
        *[("exact_rollouts", value) for value in (1, None, "yes")],
        *[("threads", value) for value in (0, -1, 1.5, "2", 10**6)],
        *[("seed", value) for value in (-1, 2**64, 0.5)],
    ],
)
def test_wrong_arguments_are_refused_by_name(name: str, value: object) -> None:
    arguments: dict[str, Any] = {"iterations": 2} | {name: value}
    with pytest.raises(ValueError, match=rf"^{name}: "):
        ismcts(GameBatch(2), **arguments)
