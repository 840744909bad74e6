"""Win rates with their uncertainty, as a torchmetrics metric that sums correctly over processes."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric


class WinRateResult(NamedTuple):
    """How games against one opponent ended."""

    wins: int
    draws: int
    losses: int
    score: float
    """Wins and half the draws, a share of the games."""
    low: float
    high: float
    """95 % Wilson interval of the score."""

    @property
    def games(self) -> int:
        return self.wins + self.draws + self.losses


def wilson_interval(successes: float, n: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson score interval (Wilson 1927) of a share; the whole of 0 to 1 where n is 0.

    For scores in which draws count half it is on the safe side: draws lower the variance that it assumes.

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


class WinRate(Metric):
    """Wins, draws and losses of one player, and the score in which a draw counts half.

    >>> metric = WinRate()
    >>> metric.update(torch.tensor([1, 1, 0, -1]))
    >>> result = metric.compute()
    >>> result.wins, result.draws, result.losses, result.score
    (2, 1, 1, 0.625)
    """

    full_state_update = False
    higher_is_better = True
    wins: Tensor
    draws: Tensor
    losses: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("wins", "draws", "losses"):
            self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, outcomes: Tensor) -> None:
        """Count games by outcome, integers [n] in -1, 0, 1.

        Raises:
            ValueError: an outcome is none of the three.
        """
        won, drawn, lost = (outcomes == k for k in (1, 0, -1))
        if not bool((won | drawn | lost).all()):
            raise ValueError("outcomes: expected -1, 0 or 1 only")
        self.wins += won.sum()
        self.draws += drawn.sum()
        self.losses += lost.sum()

    def compute(self) -> WinRateResult:
        """The counts over all processes; a score of 0.5 where there was no game."""
        wins, draws, losses = int(self.wins), int(self.draws), int(self.losses)
        games = wins + draws + losses
        points = wins + 0.5 * draws
        low, high = wilson_interval(points, games)
        return WinRateResult(wins, draws, losses, points / games if games else 0.5, low, high)
