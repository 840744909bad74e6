"""Random streams, as deals, uniform numbers and random actions show them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from support.batch_tools import CARD_ORDER, excess, played, states

from sim_core import (
    ACTIONS,
    GameBatch,
    State,
    c_state_to_python,
    select_random_action,
)


def test_uniforms_are_uniform_and_of_game_seed_and_ply() -> None:
    """Fails if a game gets the same number at every ply, so that it samples the same quantile all game long."""
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
    """Fails if neighbouring seeds or streams, or the two players, get correlated shuffles."""
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
