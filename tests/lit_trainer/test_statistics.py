"""Intervals of matches: against their definitions, and how often they hold what they claim to hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lit_trainer.statistics import mean_interval, paired_interval, wilson_interval

Floats = NDArray[np.float64]


def played(rng: np.random.Generator, matches: int, pairs: int, skill: float, luck: float, draws: float) -> Floats:
    """Scores [matches, pairs, 2] of games decided by skill, a deal's luck for one seat, and chance of each game's own.

    A `luck` below zero is a deal that suits the player in both seats.
    """
    deal = rng.normal(size=(matches, pairs, 1)) * abs(luck)
    seats = np.array([1.0, -1.0]) if luck > 0 else np.array([1.0, 1.0])
    strength = skill + deal * seats + rng.normal(size=(matches, pairs, 2))
    return np.where(np.abs(strength) < draws, 0.5, (strength > 0).astype(float))


def interval(scores: Floats) -> tuple[float, float]:
    of_pairs = scores.mean(axis=1)
    return paired_interval(len(of_pairs), of_pairs.mean(), ((of_pairs - of_pairs.mean()) ** 2).sum())


@pytest.mark.parametrize("luck", [0.0, 1.5, 4.0, -1.5])
@pytest.mark.parametrize("skill", [0.0, 0.8, 2.0])
def test_the_interval_holds_the_true_score_as_often_as_it_says(skill: float, luck: float) -> None:
    """The unit is the pair: with 150 pairs, 2,000 matches and any luck of the deal about 95 % of intervals do."""
    rng = np.random.default_rng(5)
    truth = played(rng, 400, 5000, skill, luck, 0.1).mean()
    matches = played(rng, 2000, 150, skill, luck, 0.1)
    held = np.mean([low <= truth <= high for low, high in map(interval, matches)])
    assert 0.935 <= held <= 0.97


def test_the_games_interval_would_be_wrong() -> None:
    """Why pairs: Wilson's interval over games is too wide where seats' luck cancels, too narrow where it adds up."""
    rng = np.random.default_rng(6)
    held = {}
    for luck in (4.0, -4.0):
        truth = played(rng, 400, 5000, 0.5, luck, 0.1).mean()
        matches = played(rng, 1000, 150, 0.5, luck, 0.1).reshape(1000, 300)
        intervals = [wilson_interval(match.sum(), 300) for match in matches]
        held[luck] = np.mean([low <= truth <= high for low, high in intervals])
    assert held[4.0] > 0.99 and held[-4.0] < 0.88


@pytest.mark.parametrize("pairs", [2, 50, 500])
def test_one_loss_more_never_raises_a_bound(pairs: int) -> None:
    """At the edge, where no pair differs from another, the interval goes over into Wilson's of as many games."""
    scores = np.ones((pairs, 2))
    assert interval(scores) == pytest.approx(wilson_interval(2 * pairs, 2 * pairs))
    before = interval(scores)
    for lost in range(pairs):
        scores[lost, 0] = 0.0
        after = interval(scores)
        assert after[0] < before[0] and after[1] <= before[1]
        before = after
        if lost == pairs // 4:
            break


def test_pairs_that_all_come_out_alike_leave_some_doubt() -> None:
    low, high = interval(np.tile([1.0, 0.0], (100, 1)))
    assert 0.48 < low < 0.497 and high == pytest.approx(1 - low)


def test_no_pair_says_nothing() -> None:
    assert paired_interval(0, 0.5, 0.0) == (0.0, 1.0)
    assert mean_interval(1, 3.0, 0.0) == (-math.inf, math.inf)


def test_a_mean_s_interval() -> None:
    values = np.array([1.0, 4.0, 4.0, 9.0])
    low, high = mean_interval(4, values.mean(), ((values - values.mean()) ** 2).sum())
    assert (low + high) / 2 == pytest.approx(4.5)
    assert high - low == pytest.approx(2 * 1.959963984540054 * values.std(ddof=1) / 2)
