"""Beasty Bar as a game: observations, what is hidden, and both scorings."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from reference import rules as reference
from support.batch_tools import CARD_ORDER, excess, positions, states, texts

from sim_core import (
    OBSERVATION_LAYOUT,
    GameBatch,
    State,
    c_state_to_python,
)
from sim_core.beasty_bar.game import unpack
from sim_core.beasty_bar.rules import LETTERS


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
    """Fails if observations or actions depend on which player moves: exchanged players must change nothing."""

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
    """Fails if some hands of the opponent, or some orders of the decks, are drawn more often than others."""
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


@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals"])
def test_the_hand_is_the_others_and_what_was_played_is_not_asked(game: str) -> None:
    """Fails if the target is the mover's hand, the deck, or animals that lie open."""
    batch = GameBatch(40, 3, game=game, first_player=np.arange(40) % 2)
    asked = set()
    for _ in range(24):
        for i, answers in enumerate(batch.hidden_targets().tolist()):
            fields = unpack(batch.state(i).data)
            hand, deck = (set(cards[1 - fields.to_move].upper()) for cards in (fields.hands, fields.decks))
            expected = [1 if k in hand else 0 if k in deck else -1 for k in LETTERS] if deck else [-1] * 12
            assert answers == expected
            asked.add(sum(answer >= 0 for answer in answers))
        batch.step(batch.opponent_actions("random", seed=1))
    assert asked == {0, *range(5, 13)}
