"""Win rates with their uncertainty, as a torchmetrics metric that sums correctly over processes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_trainer.measuring.statistics import mean_interval, paired_interval, wilson_interval


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


class MatchResult(NamedTuple):
    """How a match went that was played in pairs: every deal twice, with the seats exchanged."""

    wins: int
    draws: int
    losses: int
    score: float
    """Wins and half the draws, a share of the games."""
    low: float
    high: float
    """95 % interval of the score, see `paired_interval`."""
    margin: float
    """Mean of the player's points less the other's."""
    margin_low: float
    margin_high: float
    """95 % interval of the margin, by the standard error over pairs."""

    @property
    def games(self) -> int:
        return self.wins + self.draws + self.losses


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


class MatchScore(Metric):
    """Score and margin of a match in pairs of games, with intervals that take the pair as the unit.

    All sums are whole numbers, so parts of a match in several processes add up exactly.

    >>> metric = MatchScore()
    >>> metric.update(torch.tensor([1, -1, 1, 0]), torch.tensor([9, -3, 5, 0]))
    >>> result = metric.compute()
    >>> result.wins, result.draws, result.losses, result.score, result.margin
    (2, 1, 1, 0.625, 2.75)
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        # wins, draws, losses
        self.add_state("counts", torch.zeros(3, dtype=torch.long), dist_reduce_fx="sum")
        # over pairs: squares of the outcomes' sums; the margins' sums, and squares of those
        self.add_state("sums", torch.zeros(3, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, outcomes: Tensor, margins: Tensor) -> None:
        """Count games 2k and 2k + 1 as pairs.

        Args:
            outcomes: whole numbers [n] in -1, 0, 1.
            margins: whole numbers [n].

        Raises:
            ValueError: an outcome is none of the three, or a game has no partner or margin.
        """
        if len(outcomes) % 2 or outcomes.shape != margins.shape:
            raise ValueError(
                f"outcomes, margins: {len(outcomes)} and {len(margins)} given, expected as many of both, in pairs"
            )
        kinds = torch.stack([outcomes == kind for kind in (1, 0, -1)])
        if not bool(kinds.any(dim=0).all()):
            raise ValueError("outcomes: expected -1, 0 or 1 only")
        of_pairs = outcomes.long().reshape(-1, 2).sum(dim=1)
        margins_of_pairs = margins.long().reshape(-1, 2).sum(dim=1)
        self.counts += kinds.sum(dim=1)
        self.sums += torch.stack([(of_pairs**2).sum(), margins_of_pairs.sum(), (margins_of_pairs**2).sum()])

    def compute(self) -> MatchResult:
        """The results over all processes; a score of 0.5 where there was no game."""
        wins, draws, losses = (int(count) for count in self.counts)
        outcome_squares, margin_sum, margin_squares = (int(value) for value in self.sums)
        games = wins + draws + losses
        if not games:
            return MatchResult(0, 0, 0, 0.5, 0.0, 1.0, 0.0, *mean_interval(0, 0.0, 0.0))
        pairs = games // 2
        score = (wins + 0.5 * draws) / games
        # a pair's score is 1/2 + outcomes / 4, its margin a half of the sum; squared differences from the means
        low, high = paired_interval(pairs, score, (outcome_squares - (wins - losses) ** 2 / pairs) / 16)
        margin = margin_sum / games
        spread = (margin_squares - margin_sum**2 / pairs) / 4
        return MatchResult(wins, draws, losses, score, low, high, margin, *mean_interval(pairs, margin, spread))
