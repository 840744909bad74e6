"""The compiled engine against the plain-Python reference: random games, random lines, random endgames."""

from __future__ import annotations

import random
from itertools import permutations

import numpy as np
import pytest
from reference import rules as reference

from sim_core import ACTIONS, Action, GameBatch, State, c_state_to_python, solve_endgame

PLIES = 24


def compare_every_action(state: State, position: reference.Position) -> int:
    """Asserts that both know the same actions and that each leads to the same position; returns how many."""
    text = reference.format(position)
    assert str(state) == text
    assert (state.to_move, state.ply) == (position.to_move, position.ply)
    assert state.is_terminal == reference.is_terminal(position)
    actions = state.legal_actions()
    texts = reference.legal_actions(position)
    assert sorted(map(str, actions)) == sorted(texts), text
    for action in actions:
        after = reference.format(reference.step(position, str(action)))
        assert str(state.step(action)) == after, f"{text}  {action}"
    assert str(state) == text, "a step must not change the state it starts from"
    return len(actions)


def compare_the_end(state: State, position: reference.Position) -> None:
    assert state.is_terminal
    assert state.legal_actions() == ()
    for scoring in ("points", "animals"):
        assert state.scores(scoring=scoring) == reference.scores(position, scoring)
        assert state.winner(scoring=scoring) == reference.winner(position, scoring)
    assert state.scores() == reference.scores(position)
    assert state.winner() == reference.winner(position)


def assert_full_deal(position: reference.Position) -> None:
    zones = [position.queue, position.bar, position.thatsit, *position.hands, *position.decks]
    assert sorted(card for zone in zones for card in zone) == sorted(reference.CARDS)


def compare_random_games(games: int, seed: int) -> int:
    """Plays random games through `State`, comparing every legal action of every ply; returns how many."""
    rng = random.Random(seed)
    transitions = 0
    for game in range(games):
        first_player = game % 2
        state = State.initial(seed=seed * 1_000_000 + game, first_player=first_player)
        position = reference.parse(str(state))
        assert (position.to_move, position.ply) == (first_player, 0)
        assert [len(hand) for hand in position.hands] == [4, 4]
        assert [len(deck) for deck in position.decks] == [8, 8]
        for ply in range(PLIES):
            assert state.ply == ply
            assert_full_deal(position)
            transitions += compare_every_action(state, position)
            action = rng.choice(reference.legal_actions(position))
            state, position = state.step(Action.parse(action)), reference.step(position, action)
        assert_full_deal(position)
        assert str(state) == reference.format(position)
        compare_the_end(state, position)
    return transitions


def test_random_games_through_state() -> None:
    assert compare_random_games(games=220, seed=1) >= 20_000


@pytest.mark.slow
def test_many_random_games_through_state() -> None:
    assert compare_random_games(games=600, seed=2) >= 50_000


def test_the_end_is_told_by_either_scoring() -> None:
    """Fails if the end is scored wrongly, also in draws and ties, which random finished games bring up."""
    rng = random.Random(3)
    seen = {"points": set(), "animals": set()}
    even_animals = 0
    for _ in range(4_000):
        cards = rng.sample(reference.CARDS, rng.randint(0, 8))
        rest = [card for card in reference.CARDS if card not in cards]
        bar, thatsit = reference.sort_set(cards), reference.sort_set(rest)
        position = reference.Position((), bar, thatsit, ((), ()), ((), ()), rng.randrange(2), PLIES)
        compare_the_end(State.parse(reference.format(position)), position)
        for scoring, winners in seen.items():
            winners.add(reference.winner(position, scoring))
        first, second = reference.scores(position, "animals")
        even_animals += first == second and first > 0
    assert seen == {"points": {0, 1, None}, "animals": {0, 1, None}}
    assert even_animals > 100


def test_random_games_through_batch() -> None:
    n = 150
    rng = random.Random(4)
    first_player = np.arange(n) % 2
    batch = GameBatch(n, 4, first_player=first_player)
    assert len(batch) == n
    positions = [reference.parse(str(c_state_to_python(batch, i))) for i in range(n)]
    assert len({reference.format(position) for position in positions}) == n, "every game has its own deal"
    for ply in range(PLIES):
        mask = batch.legal_mask()
        assert mask.shape == (n, len(ACTIONS))
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(batch.to_move, (first_player + ply) % 2)
        assert not np.any(batch.is_terminal)
        ids = np.zeros(n, dtype=np.int64)
        for i, position in enumerate(positions):
            assert_full_deal(position)
            texts = reference.legal_actions(position)
            assert {ACTIONS[action] for action in np.flatnonzero(mask[i])} == set(texts)
            action = rng.choice(texts)
            ids[i] = ACTIONS.index(action)
            positions[i] = reference.step(position, action)
        batch.step(ids)
        assert [str(c_state_to_python(batch, i)) for i in range(n)] == list(map(reference.format, positions))
        scores = batch.scores()
        assert scores.dtype == np.int32
        np.testing.assert_array_equal(scores, [reference.scores(position) for position in positions])
    assert np.all(batch.is_terminal)
    assert not batch.legal_mask().any()
    for i, position in enumerate(positions):
        assert_full_deal(position)
        compare_the_end(c_state_to_python(batch, i), position)


def test_every_action_through_a_batch_made_of_states() -> None:
    """Fails if a batch made of states does not step each of its games as the reference does."""
    rng = random.Random(5)
    before: list[reference.Position] = []
    chosen: list[str] = []
    for game in range(40):
        position = reference.random_deal(rng, first_player=game % 2)
        for _ in range(PLIES):
            texts = reference.legal_actions(position)
            before += [position] * len(texts)
            chosen += texts
            position = reference.step(position, rng.choice(texts))
    batch = GameBatch.from_states([State.parse(reference.format(position)) for position in before])
    batch.step(np.array([ACTIONS.index(text) for text in chosen]))
    for i, (position, action) in enumerate(zip(before, chosen, strict=True)):
        after = reference.format(reference.step(position, action))
        assert str(c_state_to_python(batch, i)) == after, f"{reference.format(position)}  {action}"


def compare_line(line: tuple[str, ...], mover: int) -> int:
    """Plays every card of the mover's that is not in the line, with every choice; returns how many."""
    own = reference.CARDS[:12] if mover == 0 else reference.CARDS[12:]
    playable = [card for card in own if card not in line]
    transitions = 0
    for start in range(0, len(playable), reference.MAX_HAND):
        hand = tuple(playable[start : start + reference.MAX_HAND])
        hands = (hand, ()) if mover == 0 else ((), hand)
        position = reference.Position(line, (), (), hands, ((), ()), mover, mover)
        transitions += compare_every_action(State.parse(reference.format(position)), position)
    return transitions


def test_sample_of_all_lines_up_to_four_animals() -> None:
    """Fails if a card acts wrongly on a line of up to two animals, or on one of a sample of longer lines."""
    rng = random.Random(6)
    lines = {line for length in (0, 1, 2) for line in permutations(reference.CARDS, length)}
    assert len(lines) == 1 + 24 + 24 * 23
    while len(lines) < 5_000:
        lines.add(tuple(rng.sample(reference.CARDS, rng.choice((3, 4, 4)))))
    transitions = sum(compare_line(line, rng.randrange(2)) for line in sorted(lines))
    assert transitions >= 70_000


@pytest.mark.slow
def test_all_lines_up_to_three_animals_and_many_of_four() -> None:
    """Fails if a card acts wrongly on any line of up to three animals, or on many lines of four."""
    lines = {line for length in range(4) for line in permutations(reference.CARDS, length)}
    assert len(lines) == 1 + 24 + 24 * 23 + 24 * 23 * 22
    rng = random.Random(1)
    while len(lines) < 15_000:
        lines.add(tuple(rng.sample(reference.CARDS, 4)))
    assert sum(compare_line(line, rng.randrange(2)) for line in sorted(lines)) >= 200_000


def random_endgames(count: int, plies: tuple[int, ...], seed: int) -> list[reference.Position]:
    rng = random.Random(seed)
    positions = []
    for game in range(count):
        position = reference.random_deal(rng, first_player=game % 2)
        for _ in range(plies[game % len(plies)]):
            position = reference.step(position, rng.choice(reference.legal_actions(position)))
        positions.append(position)
    return positions


def compare_endgames(positions: list[reference.Position]) -> set[int]:
    """Asserts that the solver's value is minimax's and that its action keeps it; returns the values met."""
    values = set()
    for position in positions:
        text = reference.format(position)
        state = State.parse(text)
        value, action = solve_endgame(state)
        assert value == reference.minimax_endgame(position), text
        assert str(action) in reference.legal_actions(position), text
        after = reference.step(position, str(action))
        assert -reference.minimax_endgame(after) == value, f"{text}  {action} gives the value away"
        assert str(state) == text, "the solver must not change the state it is given"
        values.add(value)
    return values


def test_endgame_solver_against_minimax() -> None:
    positions = random_endgames(220, plies=(18, 19, 20, 21, 22, 23), seed=8)
    assert compare_endgames(positions) == {-1, 0, 1}


@pytest.mark.slow
def test_endgame_solver_against_minimax_from_the_first_ply_with_empty_decks() -> None:
    assert compare_endgames(random_endgames(24, plies=(16, 17), seed=9)) >= {-1, 1}


def test_endgame_solver_refuses_a_position_with_cards_in_a_deck() -> None:
    with pytest.raises(ValueError, match=r"(?i)deck"):
        solve_endgame(State.initial(seed=0))
