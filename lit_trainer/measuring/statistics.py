"""Computes scores, ratings and their uncertainty: intervals of a match, ratings of a round robin.

It needs only numpy. Two games of one deal with the seats exchanged are not independent: luck with the cards helps one
side in the first game and the other side in the second. So the unit of every variance here is the pair of games,
and games that repeat each other count as one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

Z95 = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval."""
ELO = 400.0 / math.log(10.0)
"""Elo per natural unit of rating."""


def wilson_interval(successes: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Returns the Wilson score interval (Wilson 1927) of a share. It is 0 to 1 if n is 0.

    For scores in which draws count half it is a little too wide, because draws lower the variance that it assumes.

    >>> low, high = wilson_interval(50, 100)
    >>> round(low, 4), round(high, 4)
    (0.4038, 0.5962)
    """
    if n <= 0:
        return 0.0, 1.0
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def independent_pairs(repeats: NDArray[np.int64]) -> float:
    """Returns how many independent pairs of games a match is worth in which games may repeat each other.

    A game that went like another one says nothing new: players that choose the same move whenever they see the same
    would play it for ever. So each distinct game is one observation, weighted by how often it was played, and the mean
    of such a sample is as good as that of (sum of weights)**2 / (sum of squared weights) equal ones (Kish 1965). That
    is the number of pairs where all games differ, and never more than half the number of distinct games. Where
    players choose at random and meet in the same game by chance, it is less than the match is really worth.

    Args:
        repeats: How often each distinct game was played, whole numbers above 0.

    >>> independent_pairs(np.array([1, 1, 1, 1])), independent_pairs(np.array([100, 100]))
    (2.0, 1.0)
    """
    return float(repeats.sum() ** 2 / (2 * (repeats**2).sum())) if len(repeats) else 0.0


def pair_dispersion(pairs: float, score: float, squares: float) -> float:
    """Returns the variance of a pair's score as a share of `score * (1 - score)`, its maximum.

    Two independent games without draws have 1/2. One imaginary pair with that variance is counted too, because a match
    whose pairs all end alike would otherwise claim to know the score exactly.

    Args:
        pairs: Independent pairs of games, 1 or more.
        score: Mean score, 0 to 1.
        squares: Sum over pairs of the squared difference between the pair's score and the mean.
    """
    most = score * (1 - score)
    return 0.5 if most <= 0 else (squares + 0.5 * most) / (pairs * most)


def paired_interval(pairs: float, score: float, squares: float, z: float = Z95) -> tuple[float, float]:
    """Returns the interval of the score of a match played in pairs of games.

    It is Wilson's interval for the number of independent games that would have the variance of these pairs. That is
    more games than were played if luck cancels within pairs or games are drawn, and fewer if both games of a pair tend
    to end alike.

    Args:
        pairs: Independent pairs of games. With 0 the interval is 0 to 1.
        score: Mean score, 0 to 1.
        squares: Sum of squared differences, as for `pair_dispersion`.
        z: Quantile of the normal distribution.

    >>> low, high = paired_interval(50, 0.5, 50 * 0.125)  # as 100 independent games
    >>> round(low, 2), round(high, 2)
    (0.4, 0.6)
    """
    if pairs <= 0:
        return 0.0, 1.0
    games = pairs / pair_dispersion(pairs, score, squares)
    return wilson_interval(score * games, games, z)


def mean_interval(n: float, mean: float, squares: float, z: float = Z95) -> tuple[float, float]:
    """Returns the interval of a mean by its standard error. It is infinite if n is less than 2.

    Args:
        n: Number of independent values.
        mean: Mean of the values.
        squares: Sum of their squared differences from the mean.
        z: Quantile of the normal distribution.
    """
    if n < 2:
        return -math.inf, math.inf
    half = z * math.sqrt(squares / (n - 1) / n)
    return mean - half, mean + half


def bradley_terry(points: Doubles, games: Doubles, tolerance: float = 1e-10) -> Doubles:
    """Returns the maximum-likelihood ratings (Bradley and Terry 1952).

    With these ratings, each player's expected points equal the points it made. The expected score of i against j is
    1 / (1 + exp(r_j - r_i)). A draw is half a point for each player.

    Args:
        points: Points of i against j [n, n].
        games: Games of i and j, symmetric [n, n], the diagonal 0.
        tolerance: Largest allowed difference between expected and actual points, per game.

    Returns:
        Ratings [n] in natural units, with mean 0. Multiply by `ELO` for Elo.

    Raises:
        ValueError: No finite ratings exist: some players have no games against the others, or one side won all of them.
    """
    n = len(points)
    # reaches[i, j]: i made points against j, perhaps through others; ratings are finite if all players reach each other
    reaches = (points > 0) | np.eye(n, dtype=bool)
    for k in range(n):
        reaches |= reaches[:, k : k + 1] & reaches[k]
    if not reaches.all():
        raise ValueError("points: no finite ratings, expected games that tie all players together, none winning all")

    def log_likelihood(ratings: Doubles) -> float:
        return float(-(points * np.logaddexp(0.0, ratings[None, :] - ratings[:, None])).sum())

    ratings = np.zeros(n)
    for _ in range(200):
        expected, information = _expectations(ratings, games)
        missing = points.sum(axis=1) - expected.sum(axis=1)
        if np.abs(missing).max() < tolerance * max(1.0, games.sum()):
            break
        step, before = np.linalg.solve(information + 1.0 / n, missing), log_likelihood(ratings)
        while log_likelihood(ratings + step) < before and np.abs(step).max() > 1e-12:
            step = step / 2  # far from the maximum, Newton's step overshoots
        ratings = ratings + step - (ratings + step).mean()
    return ratings


def _expectations(ratings: Doubles, games: Doubles) -> tuple[Doubles, Doubles]:
    """Returns the expected points [n, n], and Fisher's information of the ratings [n, n]."""
    share = 1.0 / (1.0 + np.exp(ratings[None, :] - ratings[:, None]))
    weights = games * share * (1.0 - share)
    return games * share, np.diag(weights.sum(axis=1)) - weights


def rating_errors(ratings: Doubles, games: Doubles, variances: Doubles) -> Doubles:
    """Returns the standard errors [n] of `bradley_terry`'s ratings about their mean, in natural units.

    They combine Fisher's information with the observed variance of the points (the sandwich estimator). For independent
    games without draws this equals Fisher's information alone.

    Args:
        ratings: Ratings of the players [n].
        games: Games of i and j, as for `bradley_terry`.
        variances: Variance of i's points against j, symmetric [n, n], the diagonal 0.
    """
    n = len(ratings)
    inverse = np.linalg.inv(_expectations(ratings, games)[1] + 1.0 / n)
    inverse -= inverse.mean(axis=0, keepdims=True)  # about the mean of all
    spread = np.diag(variances.sum(axis=1)) - variances
    errors: Doubles = np.sqrt(np.maximum(np.diag(inverse @ spread @ inverse.T), 0.0))
    return errors
