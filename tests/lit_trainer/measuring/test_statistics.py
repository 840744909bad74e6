"""Intervals of matches: against their definitions, and how often they hold what they claim to hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lit_trainer.measuring.statistics import (
    ELO,
    bradley_terry,
    independent_pairs,
    mean_interval,
    paired_interval,
    rating_errors,
    wilson_interval,
)

Doubles = NDArray[np.float64]


def played(rng: np.random.Generator, matches: int, pairs: int, skill: float, luck: float, draws: float) -> Doubles:
    """Returns scores [matches, pairs, 2] of games decided by skill, a deal's luck for one seat, and chance.

    A `luck` below zero is a deal that suits the player in both seats.
    """
    deal = rng.normal(size=(matches, pairs, 1)) * abs(luck)
    seats = np.array([1.0, -1.0]) if luck > 0 else np.array([1.0, 1.0])
    strength = skill + deal * seats + rng.normal(size=(matches, pairs, 2))
    return np.where(np.abs(strength) < draws, 0.5, (strength > 0).astype(float))


def interval(scores: Doubles) -> tuple[float, float]:
    of_pairs = scores.mean(axis=1)
    return paired_interval(len(of_pairs), of_pairs.mean(), ((of_pairs - of_pairs.mean()) ** 2).sum())


@pytest.mark.parametrize("luck", [0.0, 1.5, 4.0, -1.5])
@pytest.mark.parametrize("skill", [0.0, 0.8, 2.0])
def test_the_interval_holds_the_true_score_as_often_as_it_says(skill: float, luck: float) -> None:
    """Fails if intervals hold the true score in more or fewer than 95 % of matches, whatever a deal's luck is."""
    rng = np.random.default_rng(5)
    truth = played(rng, 400, 5000, skill, luck, 0.1).mean()
    matches = played(rng, 2000, 150, skill, luck, 0.1)
    held = np.mean([low <= truth <= high for low, high in map(interval, matches)])
    assert 0.935 <= held <= 0.97


@pytest.mark.parametrize("openings", [5, 20, 200])
def test_with_few_openings_the_interval_still_holds_the_true_score(openings: int) -> None:
    """Players that never vary play one pair of games an opening; 150 pairs are worth as many as openings, and fewer."""
    rng = np.random.default_rng(7)
    truth = played(rng, 400, 5000, 0.3, 1.0, 0.1).mean()
    held, counted_all = [], []
    for pairs in played(rng, 2000, openings, 0.3, 1.0, 0.1):
        repeats = rng.multinomial(150, np.ones(openings) / openings)
        of_pairs = pairs.mean(axis=1)
        score = float(repeats @ of_pairs) / 150
        squares = float(repeats @ (of_pairs - score) ** 2)
        independent = independent_pairs(np.repeat(repeats[repeats > 0], 2))
        assert independent <= (repeats > 0).sum()
        low, high = paired_interval(independent, score, squares * independent / 150)
        held.append(low <= truth <= high)
        low, high = paired_interval(150, score, squares)
        counted_all.append(low <= truth <= high)
    assert 0.93 <= np.mean(held) <= 0.99
    assert np.mean(counted_all) < np.mean(held) - 0.03


def test_independent_pairs() -> None:
    """Half the games where all differ, one pair where there is one; games by weight, not by number."""
    assert independent_pairs(np.ones(300, dtype=np.int64)) == 150.0
    assert independent_pairs(np.array([150, 150])) == 1.0
    assert independent_pairs(np.array([], dtype=np.int64)) == 0.0
    one_often = np.array([151] * 2 + [1] * 98)  # fifty distinct pairs, of which one was played 151 times
    assert 1.0 < independent_pairs(one_often) < 2.0


def test_the_games_interval_would_be_wrong() -> None:
    """Shows why pairs count: an interval over games is too wide where seats' luck cancels, else too narrow."""
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
    """Fails if the interval jumps where no pair differs from another, and Wilson's takes its place."""
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


def table(pairings: dict[tuple[int, int], tuple[float, float]], n: int) -> tuple[Doubles, Doubles]:
    """Returns tables of points and of games, from pairings (i, j) to (i's points, games)."""
    points, games = np.zeros((n, n)), np.zeros((n, n))
    for (i, j), (made, played) in pairings.items():
        points[i, j], points[j, i], games[i, j], games[j, i] = made, played - made, played, played
    return points, games


def test_ratings_are_where_a_search_of_the_likelihood_finds_them() -> None:
    """A gradient of the wrong sign, draws that count otherwise, or games that are counted twice."""
    points, games = table({(0, 1): (33.5, 40), (0, 2): (12.0, 60), (1, 2): (5.5, 20)}, 3)
    found = bradley_terry(points, games)
    best, centre, width = -math.inf, (0.0, 0.0), 4.0
    for _ in range(12):  # a grid that closes in
        axis = np.linspace(-width, width, 21)
        for a, b in ((centre[0] + x, centre[1] + y) for x in axis for y in axis):
            ratings = (a, b, -a - b)
            value = sum(
                points[i, j] * math.log(1 / (1 + math.exp(ratings[j] - ratings[i])))
                for i in range(3)
                for j in range(3)
                if i != j
            )
            if value > best:
                best, at = value, (a, b)
        centre, width = at, width / 4
    assert found == pytest.approx([*centre, -sum(centre)], abs=1e-5)


def test_two_players_have_the_elo_of_their_score() -> None:
    ratings = bradley_terry(*table({(0, 1): (640.0, 1000)}, 2))
    assert ELO * (ratings[0] - ratings[1]) == pytest.approx(400 * math.log10(0.64 / 0.36))
    extreme = bradley_terry(*table({(0, 1): (999.5, 1000)}, 2))  # Newton's first step is far too long
    assert extreme[0] - extreme[1] == pytest.approx(math.log(999.5 / 0.5))


def test_where_newton_s_step_is_too_long_the_ratings_still_explain_the_points() -> None:
    """Long and short pairings of players far apart: the whole step leads ever farther away."""
    pairings = {
        (0, 1): (2037.5, 10_000),
        (0, 2): (0.5, 10_000),
        (1, 2): (0.5, 1),
        (1, 4): (0.5, 100_000),
        (2, 3): (9.5, 10),
        (3, 4): (98_374.5, 100_000),
    }
    points, games = table(pairings, 5)  # type: ignore[arg-type]
    ratings = bradley_terry(points, games)
    expected = games / (1.0 + np.exp(ratings[None, :] - ratings[:, None]))
    assert expected.sum(axis=1) == pytest.approx(points.sum(axis=1), abs=1e-3)


@pytest.mark.parametrize(
    "pairings",
    [
        {(0, 1): (10, 10), (1, 2): (5, 10), (0, 2): (10, 10)},
        {(0, 1): (5, 10), (2, 3): (5, 10)},
        {(0, 1): (5, 10), (2, 3): (5, 10), (0, 2): (10, 10)},
    ],
)
def test_ratings_that_games_do_not_bound_are_refused(pairings: dict[tuple[int, int], tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=r"^points: "):
        bradley_terry(*table(pairings, 1 + max(max(pair) for pair in pairings)))


@pytest.mark.parametrize("luck", [0.0, 3.0, -1.5])
def test_a_rating_s_interval_holds_the_truth_as_often_as_it_says(luck: float) -> None:
    """Fails if games are taken for independent: intervals hold too often with luck above 0, too seldom below."""
    rng = np.random.default_rng(8)
    skills, pairs, matches = [0.0, 0.3, 0.9, 1.4], 100, 600
    pairings = [(i, j) for i in range(4) for j in range(i)]
    truth_points, truth_games = table(
        {(i, j): (1e5 * played(rng, 1, 100_000, skills[i] - skills[j], luck, 0.1).mean(), 1e5) for i, j in pairings}, 4
    )
    truth = bradley_terry(truth_points, truth_games)
    scores = {(i, j): played(rng, matches, pairs, skills[i] - skills[j], luck, 0.1).mean(axis=2) for i, j in pairings}
    held = []
    for match in range(matches):
        of_pairs = {pair: scores[pair][match] for pair in pairings}
        points, games = table({pair: (2 * values.sum(), 2 * pairs) for pair, values in of_pairs.items()}, 4)
        variances = table({pair: (4 * pairs * values.var(ddof=1), 0) for pair, values in of_pairs.items()}, 4)[0]
        found = bradley_terry(points, games)
        errors = rating_errors(found, games, np.abs(variances))
        held.append(np.abs(found - truth) <= 1.96 * errors)
    assert 0.93 <= np.mean(held) <= 0.97
