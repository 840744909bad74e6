"""Batches of games: streams, steps, observations and what is refused, and the `State` values they turn into."""

from __future__ import annotations

import copy
import math
import pickle
import random
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from reference import rules as reference

from sim_core import (
    ACTIONS,
    OBSERVATION_LAYOUT,
    OBSERVATION_SIZE,
    Action,
    GameBatch,
    State,
    c_state_to_python,
    select_random_action,
)

CARD_ORDER = "LHCSGZEXMKPU"  # strongest first


def played(batch: GameBatch, plies: int | np.ndarray) -> GameBatch:
    """The batch after random moves up to those plies; it is changed in place."""
    target = np.broadcast_to(plies, len(batch))
    while (going := (batch.ply < target) & ~batch.is_terminal).any():
        batch.step(np.array([select_random_action(batch, i) if on else -1 for i, on in enumerate(going)]))
    return batch


def texts(batch: GameBatch) -> list[str]:
    return [str(c_state_to_python(batch, i)) for i in range(len(batch))]


@cache
def positions(count: int = 200, seed: int = 3) -> tuple[reference.Position, ...]:
    """Positions of random games, at every ply from 0 to the end in turn."""
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
    """Pearson's chi-squared in standard deviations from what chance gives."""
    chi_squared = float(((observed - expected) ** 2 / expected).sum())
    return (chi_squared - freedom) / math.sqrt(2 * freedom)


# ---------------------------------------------------------------------- streams


@pytest.mark.parametrize("threads", [2, 8])
def test_random_games_do_not_depend_on_threads(threads: int) -> None:
    one, many = GameBatch(1001, seed=5), GameBatch(1001, seed=5)
    one.play_random()
    many.play_random(threads=threads)
    assert (one.packed() == many.packed()).all()
    assert one.is_terminal.all()


def test_random_games_do_not_depend_on_the_batch() -> None:
    """Game number k is the same alone, in batches of 64 and among all 1,024, in whatever order."""
    whole = GameBatch(1024, seed=5)
    dealt = whole.packed()
    whole.play_random()
    ends = whole.packed()
    order = np.random.default_rng(0).permutation(1024)
    for low in range(0, 1024, 64):
        part = GameBatch(64, seed=5, streams=order[low : low + 64])
        assert (part.packed() == dealt[order[low : low + 64]]).all()
        part.play_random()
        assert (part.packed() == ends[order[low : low + 64]]).all()
    for number in range(0, 1024, 41):
        alone = GameBatch(1, seed=5, streams=[number])
        alone.play_random()
        assert (alone.packed()[0] == ends[number]).all()
    assert len(np.unique(ends, axis=0)) > 1000


def test_a_state_is_game_0_of_its_seed() -> None:
    for seed in (0, 1, 2**63, 2**64 - 1):
        for first in (0, 1):
            batch = GameBatch(1, seed, first_player=first)
            assert c_state_to_python(batch, 0) == State.initial(seed, first)
            assert batch.to_move.tolist() == [first]


def test_first_player_of_each_game() -> None:
    first = np.array([0, 1, 1, 0, 1])
    batch = GameBatch(5, 1, first_player=first)
    assert batch.to_move.tolist() == first.tolist()
    same_deal = GameBatch(5, 1)
    assert (batch.legal_mask()[first == 0] == same_deal.legal_mask()[first == 0]).all()
    assert [text[:-4] for text in texts(batch)] == [text[:-4] for text in texts(same_deal)]


def test_games_taken_keep_their_streams() -> None:
    batch = played(GameBatch(50, seed=3), 7)
    rows = [7, 30, 7, 0]
    taken = batch.take(rows)
    assert (taken.packed() == batch.packed()[rows]).all()
    assert (taken.uniforms(9) == batch.uniforms(9)[rows]).all()
    for name in ("random", "noisy"):
        assert (taken.opponent_actions(name, 4) == batch.opponent_actions(name, 4)[rows]).all()
        assert (batch.opponent_actions(name, 4, rows=rows) == batch.opponent_actions(name, 4)[rows]).all()
    twice = batch.take(rows).take([1, 2])
    taken.play_random()
    assert (batch.ply == 7).all()
    batch.play_random()
    twice.play_random()
    assert (taken.packed() == batch.packed()[rows]).all()
    assert (twice.packed() == batch.packed()[rows][1:3]).all()


def test_uniforms_are_uniform_and_of_game_seed_and_ply() -> None:
    """Equal numbers at every ply would make a sampled policy choose the same quantile all game long."""
    batch = GameBatch(4000, seed=3)
    drawn = [batch.uniforms(1)]
    assert (batch.uniforms(1) == drawn[0]).all()
    drawn.append(batch.uniforms(2))
    drawn.append(GameBatch(4000, seed=3, streams=np.arange(1, 4001)).uniforms(1))
    drawn.append(played(batch.take(np.arange(4000)), 1).uniforms(1))
    assert (drawn[2][:-1] == drawn[0][1:]).all()
    for numbers in drawn:
        assert ((numbers > 0) & (numbers < 1)).all()
        assert abs(excess(np.histogram(numbers, 40, (0, 1))[0], 100.0, 39)) < 4.5
    correlation = np.corrcoef(drawn) - np.eye(4)
    assert np.abs(correlation).max() < 4.5 / math.sqrt(4000)


def dealt_slots(deals: list[State]) -> np.ndarray:
    """Species by deal and place in the decks, int [n, 16]: eight of player 0, eight of player 1."""
    decks = [str(state).split(" ")[4].replace("/", "").upper() for state in deals]
    return np.array([[CARD_ORDER.index(letter) for letter in deck] for deck in decks])


@pytest.mark.parametrize(
    "deal",
    [
        lambda k: State.initial(k),
        lambda k: State.initial(2**40 - 2000 + k),
        lambda k: State.initial(k * 2**32),
        lambda k: c_state_to_python(GameBatch(1, 7, streams=[k]), 0),
        lambda k: c_state_to_python(GameBatch(1, k % 2, streams=[k // 2]), 0),
    ],
    ids=["seeds", "far seeds", "high bits", "streams", "seeds and streams"],
)
def test_neighbouring_deals_are_independent(deal: Callable[[int], State]) -> None:
    """Seeds or streams next to each other must not give correlated shuffles, nor the two players' cards."""
    n = 4000
    slots = dealt_slots([deal(k) for k in range(n)])
    some = (0, 2, 7, 8, 13, 15)
    within = [(a, b, 0) for a in some[:3] for b in some[3:]]
    between = [(a, b, lag) for a in some for b in some for lag in (1, 2)]
    results = []
    for a, b, lag in within + between:
        first, second = slots[: n - lag, a], slots[lag:, b]
        table = np.bincount(first * 12 + second, minlength=144)
        results.append(excess(table, len(first) / 144, 143))
    assert max(map(abs, results)) < 5.5
    assert abs(sum(results)) / math.sqrt(len(results)) < 4.5
    for slot in range(16):
        assert abs(excess(np.bincount(slots[:, slot], minlength=12), n / 12, 11)) < 5.5


# ---------------------------------------------------------------------- states in and out


def test_states_and_packed_rows_round_trip() -> None:
    given = states()
    batch = GameBatch.from_states(given)
    assert len(batch) == len(given)
    assert [c_state_to_python(batch, i) for i in range(len(batch))] == given
    packed = batch.packed()
    again = GameBatch.from_packed(packed)
    packed[:] = 0
    assert texts(again) == texts(batch) == [str(state) for state in given]
    assert batch.to_move.tolist() == [state.to_move for state in given]
    assert batch.ply.tolist() == [state.ply for state in given]
    assert batch.is_terminal.tolist() == [state.is_terminal for state in given]
    assert batch.is_solvable.tolist() == [state.is_solvable for state in given]
    assert batch.scores().tolist() == [list(state.scores()) for state in given]
    every_other = GameBatch.from_packed(again.packed()[::2])
    assert texts(every_other) == texts(batch)[::2]


def test_empty_batches() -> None:
    for batch in (GameBatch(0), GameBatch.from_states([]), GameBatch(3).take(np.arange(0))):
        assert len(batch) == 0
        assert batch.observe().shape == (0, OBSERVATION_SIZE)
        assert batch.legal_mask().shape == (0, len(ACTIONS))
        assert batch.packed().shape[0] == 0
        batch.step(np.arange(0))
        batch.play_random(threads=2)


def test_a_python_state_is_a_snapshot() -> None:
    batch = played(GameBatch(3, seed=2), 5)
    state = c_state_to_python(batch, 1)
    text = str(state)
    state.step(state.legal_actions()[0])
    assert texts(batch)[1] == text
    batch.play_random()
    assert str(state) == text
    assert texts(batch)[1] != text


def test_a_state_is_a_value() -> None:
    for state in states(30):
        twin = State.parse(str(state))
        assert twin == state
        assert hash(twin) == hash(state)
        assert {twin: 1}[state] == 1
        for copied in (pickle.loads(pickle.dumps(state)), copy.deepcopy(state), copy.copy(state)):
            assert copied == state
            assert str(copied) == str(state)
        assert state != str(state)
        assert State.parse(str(state), game="beasty_bar_animals") != state
        for action in state.legal_actions():
            assert state.step(action) != state
            assert pickle.loads(pickle.dumps(action)) == action
        for name in ("data", "game", "ply", "extra"):
            with pytest.raises(AttributeError):
                setattr(state, name, state.data)
        assert twin == state


@pytest.mark.parametrize("name", ["data", "game"])
def test_a_state_loses_nothing(name: str) -> None:
    """`del` is a change too."""
    state = State.initial(1)
    with pytest.raises(AttributeError):
        delattr(state, name)
    assert state == State.initial(1)


# ---------------------------------------------------------------------- steps


def test_a_step_moves_the_games_it_is_given_and_leaves_the_others() -> None:
    batch = GameBatch.from_states(states())
    before = [c_state_to_python(batch, i) for i in range(len(batch))]
    rng = np.random.default_rng(1)
    actions = np.array(
        [
            rng.choice([action.id for action in state.legal_actions()])
            if state.legal_actions() and rng.random() < 0.6
            else -1
            for state in before
        ]
    )
    batch.step(actions)
    after = [state if k < 0 else state.step(Action(int(k))) for state, k in zip(before, actions, strict=True)]
    assert [c_state_to_python(batch, i) for i in range(len(batch))] == after
    assert 60 < (actions < 0).sum() < 140


def test_a_step_with_an_illegal_action_changes_no_game() -> None:
    batch = played(GameBatch(20, seed=8), 3)
    legal = batch.legal_mask()
    actions = legal.argmax(axis=1)
    actions[13] = np.flatnonzero(~legal[13])[-1]
    before = batch.packed()
    with pytest.raises(ValueError) as error:
        batch.step(actions)
    message = str(error.value)
    assert re.search(r"\bgame 13\b", message)
    for text in (ACTIONS[actions[13]], *(ACTIONS[k] for k in np.flatnonzero(legal[13]))):
        assert re.search(rf"(?<![\w=]){re.escape(text)}(?![\w=])", message), (text, message)
    assert (batch.packed() == before).all()


def test_a_finished_game_takes_no_action() -> None:
    batch = played(GameBatch(4, seed=8), np.array([24, 3, 24, 24]))
    assert batch.is_terminal.tolist() == [True, False, True, True]
    assert not batch.legal_mask()[[0, 2, 3]].any()
    assert (batch.opponent_actions("heuristic")[[0, 2, 3]] == -1).all()
    assert (batch.opponent_actions("random")[[0, 2, 3]] == -1).all()
    before = batch.packed()
    for k in range(len(ACTIONS)):
        with pytest.raises(ValueError, match=r"(?s)game 2.*over"):
            batch.step([-1, -1, k, -1])
    with pytest.raises(ValueError, match=r"^i: .*over"):
        select_random_action(batch, 0)
    batch.step(-np.ones(4, dtype=int))
    assert (batch.packed() == before).all()
    batch.observe()


def test_random_actions_are_uniform_over_the_legal_ones() -> None:
    batch = GameBatch.from_states([state for state in states() if len(state.legal_actions()) > 1], seed=4)
    legal = batch.legal_mask()
    draws, results = 3000, []
    for i in range(0, len(batch), 6):
        counts = np.bincount([select_random_action(batch, i) for _ in range(draws)], minlength=len(ACTIONS))
        assert counts[~legal[i]].sum() == 0
        number = int(legal[i].sum())
        results.append(excess(counts[legal[i]], draws / number, number - 1))
    assert len(results) > 20
    assert max(map(abs, results)) < 5.5
    assert abs(sum(results)) / math.sqrt(len(results)) < 4.5


# ---------------------------------------------------------------------- observations


def expected_observation(position: reference.Position) -> list[float]:
    """What OBSERVATION_LAYOUT says, written a second time over the reference's position."""
    me = position.to_move
    order = (me, 1 - me)

    def as_set(cards: Any, player: int) -> list[float]:
        own = {card.upper() for card in cards if reference.owner(card) == player}
        return [float(species in own) for species in CARD_ORDER]

    line = [as_set(position.queue[place : place + 1], player) for place in range(4) for player in order]
    other = 1 - me
    sets = [
        as_set(position.hands[me], me),
        as_set(position.decks[me], me),
        as_set(position.hands[other] + position.decks[other], other),
        as_set(position.bar, me),
        as_set(position.bar, other),
    ]
    points = reference.scores(position)
    numbers = [
        points[me] / 36,
        points[other] / 36,
        (points[me] - points[other]) / 12,
        len(position.decks[me]) / 8,
        len(position.hands[other]) / 4,
        len(position.decks[other]) / 8,
    ]
    ply = [float(position.ply == k) for k in range(24)]
    return [number for part in (*line, *sets, numbers, ply) for number in part]


def test_observations_show_what_the_layout_says() -> None:
    batch = GameBatch.from_states(states())
    observations = batch.observe()
    assert observations.dtype == np.float32
    assert observations.shape == (len(batch), sum(size for _, size in OBSERVATION_LAYOUT))
    expected = np.array([expected_observation(position) for position in positions()])
    assert np.abs(observations - expected).max() < 1e-6
    for state, observation in zip(states(), observations, strict=True):
        assert (state.observe() == observation).all()


def test_observations_and_actions_are_the_players_own() -> None:
    """With players exchanged everywhere nothing changes for the one to move."""

    def exchanged(text: str) -> str:
        line, bar, gone, hands, decks, mover, ply = text.split(" ")
        pairs = ["/".join(reversed(pair.swapcase().split("/"))) for pair in (hands, decks)]
        parts = [line.swapcase(), bar.swapcase(), gone.swapcase(), *pairs]
        return " ".join([*parts, str(1 - int(mover)), ply])

    for state in states():
        mirrored = State.parse(exchanged(str(state)))
        assert mirrored.to_move != state.to_move
        assert (mirrored.observe() == state.observe()).all()
        assert mirrored.legal_actions() == state.legal_actions()
        for action in state.legal_actions():
            assert State.parse(exchanged(str(state.step(action)))) == mirrored.step(action)


def test_determinizing_changes_only_what_the_mover_cannot_see() -> None:
    changed = 0
    for position, state in zip(positions(), states(), strict=True):
        me, other = position.to_move, 1 - position.to_move
        for seed in range(3):
            drawn = state.determinize(seed)
            assert (drawn.observe() == state.observe()).all()
            assert drawn.legal_actions() == state.legal_actions()
            assert drawn.is_solvable == state.is_solvable
            after = reference.parse(str(drawn))
            for name in ("queue", "bar", "thatsit", "to_move", "ply"):
                assert getattr(after, name) == getattr(position, name)
            assert after.hands[me] == position.hands[me]
            assert Counter(after.decks[me]) == Counter(position.decks[me])
            assert len(after.hands[other]) == len(position.hands[other])
            unseen = Counter(position.hands[other]) + Counter(position.decks[other])
            assert Counter(after.hands[other]) + Counter(after.decks[other]) == unseen
            changed += position.ply < 12 and drawn != state
    assert changed >= 250  # of 288: it must not be the position itself again


def test_determinizing_is_uniform() -> None:
    """Every hand the other may hold is equally likely, and every card in every place of both decks."""
    state = State.parse("Lh - - HCSG/czgs ZEXM/xm 0 5")
    draws = 6000
    drawn = [reference.parse(str(state.determinize(seed))) for seed in range(draws)]
    hands = Counter(position.hands[1] for position in drawn)
    assert len(hands) == 15
    assert abs(excess(np.array(list(hands.values())), draws / 15, 14)) < 4.5
    for player, cards in ((0, "ZEXM"), (1, "czgsxm")):
        for place in range(len(drawn[0].decks[player])):
            counts = Counter(position.decks[player][place] for position in drawn)
            expected = draws / len(cards)
            assert abs(excess(np.array([counts[c] for c in cards]), expected, len(cards) - 1)) < 5.5


def test_buffers_are_filled_and_returned() -> None:
    """A mask that is not cleared first keeps the last position's actions."""
    batch = played(GameBatch(30, seed=1), 6)
    mask, observation = np.ones((30, len(ACTIONS)), bool), np.full((30, OBSERVATION_SIZE), 9, np.float32)
    assert batch.legal_mask(out=mask) is mask
    assert batch.observe(out=observation) is observation
    assert (mask == batch.legal_mask()).all()
    assert (observation == batch.observe()).all()


# ---------------------------------------------------------------------- both scorings


@pytest.mark.parametrize(("game", "scoring"), [("beasty_bar", "points"), ("beasty_bar_animals", "animals")])
def test_outcomes_are_the_scorings(game: str, scoring: str) -> None:
    batch = GameBatch(600, seed=11, game=game)
    batch.play_random()
    outcomes, scores = batch.outcomes().tolist(), batch.scores().tolist()
    tie_breaks = 0
    for i, text in enumerate(texts(batch)):
        position = reference.parse(text)
        winner = reference.winner(position, scoring)
        assert outcomes[i] == {0: 1, 1: -1, None: 0}[winner], text
        assert tuple(scores[i]) == reference.scores(position, scoring)
        tie_breaks += scores[i][0] == scores[i][1] and winner is not None
    assert tie_breaks > 30 or scoring == "points"
    assert set(outcomes) == {-1, 0, 1} or scoring == "animals"
    assert c_state_to_python(batch, 0).game == game
