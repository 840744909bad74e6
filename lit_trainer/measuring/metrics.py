"""Counts how games ended, as torchmetrics metrics that add up correctly over processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from lit_trainer.measuring.statistics import independent_pairs, mean_interval, paired_interval, wilson_interval


@dataclasses.dataclass  # not frozen: torchmetrics copies what a metric computes, field by field
class MatchResult:
    """Says how a player's games against one opponent ended.

    A further number of a match is a field here, and a column of `lit_trainer.reporting.tables`.
    """

    wins: int
    """Games won."""
    draws: int
    """Games drawn."""
    losses: int
    """Games lost."""
    score: float
    """Wins and half the draws, as a share of the games. 0.5 where there was no game."""
    low: float
    """Lower end of the score's 95 % interval."""
    high: float
    """Upper end of the score's 95 % interval."""
    margin: float | None = None
    """Mean over the games of the player's points less the opponent's. None: only outcomes were counted."""
    margin_low: float | None = None
    """Lower end of the margin's 95 % interval, by the standard error over pairs."""
    margin_high: float | None = None
    """Upper end of the margin's 95 % interval."""
    median_margin: float | None = None
    """Median over the games of the player's points less the opponent's. None: it was not measured."""
    distinct_games: int | None = None
    """Games that differ from each other. None: it was not counted."""
    independent_pairs: float | None = None
    """Pairs of games that the intervals count, fewer where games repeat each other. None: all of them."""

    @property
    def games(self) -> int:
        """Returns the number of games."""
        return self.wins + self.draws + self.losses

    def to_log(self) -> dict[str, float]:
        """Returns what is logged of a match, by the names that stand before the opponent's."""
        numbers = {
            "win_rate": self.score,
            "draw_rate": self.draws / max(self.games, 1),
            "win_rate_low": self.low,
            "win_rate_high": self.high,
            "margin": self.margin,
            "median_margin": self.median_margin,
            "distinct_games": self.distinct_games,
        }
        return {name: value for name, value in numbers.items() if value is not None}

    @classmethod
    def from_record(cls, row: Mapping[str, Any]) -> MatchResult:
        """Returns the result that a row of ``test.json`` holds.

        Args:
            row: The row. It may lack fields with a default, which files of earlier versions do not have.

        Raises:
            KeyError: A field without a default is missing.
        """
        fields = dataclasses.fields(cls)
        wanted = (field.name for field in fields if field.default is dataclasses.MISSING or field.name in row)
        return cls(**{name: row[name] for name in wanted})


class WinRate(Metric):
    """Counts wins, draws and losses of one player, and the score in which a draw counts half.

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
        """Counts games by outcome.

        Args:
            outcomes: Outcomes [n], each -1, 0 or 1.

        Raises:
            ValueError: An outcome is none of the three.
        """
        won, drawn, lost = (outcomes == k for k in (1, 0, -1))
        if not bool((won | drawn | lost).all()):
            raise ValueError("outcomes: expected -1, 0 or 1 only")
        self.wins += won.sum()
        self.draws += drawn.sum()
        self.losses += lost.sum()

    def compute(self) -> MatchResult:
        """Returns the result over all processes, without margins; the interval is Wilson's."""
        wins, draws, losses = int(self.wins), int(self.draws), int(self.losses)
        games = wins + draws + losses
        points = wins + 0.5 * draws
        low, high = wilson_interval(points, games)
        score = points / games if games else 0.5
        return MatchResult(wins, draws, losses, score, low, high)


class MatchScore(Metric):
    """Measures score and margin of a match in pairs of games, with intervals that take the pair as the unit.

    Games with equal keys went alike and count as one, see `independent_pairs`. All sums are whole numbers, and the
    margins and keys themselves are kept. So parts of a match in several processes add up exactly.

    >>> metric = MatchScore()
    >>> metric.update(torch.tensor([1, -1, 1, 0]), torch.tensor([9, -3, 5, 0]))
    >>> result = metric.compute()
    >>> result.wins, result.draws, result.losses, result.score, result.margin, result.median_margin
    (2, 1, 1, 0.625, 2.75, 2.5)
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor
    sums: Tensor
    margins: list[Tensor]
    keys: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        # wins, draws, losses
        self.add_state("counts", torch.zeros(3, dtype=torch.long), dist_reduce_fx="sum")
        # over pairs: squares of the outcomes' sums; the margins' sums, and squares of those
        self.add_state("sums", torch.zeros(3, dtype=torch.long), dist_reduce_fx="sum")
        # all of them rather than a histogram, because a game of somebody else's may have any range of scores
        self.add_state("margins", [], dist_reduce_fx="cat")
        # of the games whose keys are known
        self.add_state("keys", [], dist_reduce_fx="cat")

    def update(self, outcomes: Tensor, margins: Tensor, keys: Tensor | None = None) -> None:
        """Counts games 2k and 2k + 1 as pairs.

        Args:
            outcomes: Outcomes [n], each -1, 0 or 1.
            margins: The player's points less the opponent's [n], whole numbers.
            keys: Keys of the games [n], equal where games went alike, see `PlayedMatch`. None: all games differ.

        Raises:
            ValueError: An outcome is none of the three, or a game has no partner, margin or key.
        """
        if len(outcomes) % 2 or outcomes.shape != margins.shape:
            raise ValueError(
                f"outcomes, margins: {len(outcomes)} and {len(margins)} given, expected as many of both, in pairs"
            )
        if keys is not None and keys.shape != outcomes.shape:
            raise ValueError(f"keys: {len(keys)} given, expected one for each of {len(outcomes)} games")
        kinds = torch.stack([outcomes == kind for kind in (1, 0, -1)])
        if not bool(kinds.any(dim=0).all()):
            raise ValueError("outcomes: expected -1, 0 or 1 only")
        of_pairs = outcomes.long().reshape(-1, 2).sum(dim=1)
        margins_of_pairs = margins.long().reshape(-1, 2).sum(dim=1)
        self.counts += kinds.sum(dim=1)
        self.sums += torch.stack([(of_pairs**2).sum(), margins_of_pairs.sum(), (margins_of_pairs**2).sum()])
        self.margins.append(margins.long())
        self.keys.append(margins.new_zeros(0, dtype=torch.long) if keys is None else keys.long())

    def compute(self) -> MatchResult:
        """Returns the result over all processes.

        The intervals are those of `paired_interval` and `mean_interval`, for as many pairs as `independent_pairs`
        says. Without a game the score is 0.5.
        """
        wins, draws, losses = (int(count) for count in self.counts)
        outcome_squares, margin_sum, margin_squares = (int(value) for value in self.sums)
        games = wins + draws + losses
        pairs, some = games // 2, max(games, 1)
        score, margin = (wins + 0.5 * draws) / games if games else 0.5, margin_sum / some
        keys = dim_zero_cat(self.keys).cpu().numpy() if games else np.zeros(0, dtype=np.int64)
        repeats = np.unique(keys, return_counts=True)[1] if len(keys) == games else None
        independent = float(pairs) if repeats is None else independent_pairs(repeats)
        share = independent / max(pairs, 1)
        # a pair's score is 1/2 + outcomes / 4, its margin a half of the sum; squared differences from the means
        squares = (outcome_squares - 2 * (wins - losses) ** 2 / some) / 16
        low, high = paired_interval(independent, score, squares * share)
        squares = (margin_squares - 2 * margin_sum**2 / some) / 4
        margin_low, margin_high = mean_interval(independent, margin, squares * share)
        return MatchResult(
            wins=wins,
            draws=draws,
            losses=losses,
            score=score,
            low=low,
            high=high,
            margin=margin,
            margin_low=margin_low,
            margin_high=margin_high,
            median_margin=float(np.median(dim_zero_cat(self.margins).cpu().numpy())) if games else 0.0,
            distinct_games=None if repeats is None else len(repeats),
            independent_pairs=None if repeats is None else independent,
        )
