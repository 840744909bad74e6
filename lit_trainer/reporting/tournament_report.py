"""Shows a tournament: ratings and cross table in the terminal, and both as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from lit_trainer.measuring.statistics import Doubles
from lit_trainer.measuring.tournament import Entry, Rating, Tournament
from lit_trainer.reporting.heat_maps import draw_cross_map
from lit_trainer.reporting.plots import draw_intervals
from lit_trainer.reporting.tables import Column, build_table, percent, print_table


def ranking(tournament: Tournament) -> list[int]:
    """Returns the players' numbers, the best first."""
    return sorted(range(len(tournament.entries)), key=lambda k: -tournament.ratings[k].elo)


def cross_scores(tournament: Tournament) -> tuple[Doubles, Doubles]:
    """Returns who scored what against which player, in percent.

    Returns:
        Scores of row against column [n, n], and half the widths of their 95 % intervals [n, n], the best player first.
        NaN: the two have not played.
    """
    n = len(tournament.entries)
    scores, halves = np.full((n, n), np.nan), np.full((n, n), np.nan)
    for pairing in tournament.pairings:
        a, b, result = pairing.a, pairing.b, pairing.result
        scores[a, b], scores[b, a] = 100 * result.score, 100 * (1 - result.score)
        halves[a, b] = halves[b, a] = 50 * (result.high - result.low)
    order = ranking(tournament)
    return scores[np.ix_(order, order)], halves[np.ix_(order, order)]


@dataclass(frozen=True)
class _Ranked:
    place: int
    entry: Entry
    rating: Rating
    distinct_games: int | None


def _ranked(tournament: Tournament) -> list[_Ranked]:
    return [
        _Ranked(place, tournament.entries[k], tournament.ratings[k], _distinct_games(tournament, k))
        for place, k in enumerate(ranking(tournament), start=1)
    ]


def _distinct_games(tournament: Tournament, player: int) -> int | None:
    """Returns how many of a player's games differ from each other. None: a match has not counted them."""
    counts = [pairing.result.distinct_games for pairing in tournament.pairings if player in (pairing.a, pairing.b)]
    return None if None in counts else sum(count or 0 for count in counts)


def _time(row: _Ranked) -> str:
    return "" if row.entry.ms_per_move is None else f"{row.entry.ms_per_move.batched:.3g}"


_PLACE = Column[_Ranked]("", lambda row: str(row.place))
_AGENT = Column[_Ranked]("agent", lambda row: row.entry.name, left=True)

RATING_COLUMNS = (
    _PLACE,
    _AGENT,
    Column[_Ranked]("Elo", lambda row: f"{row.rating.elo:+.0f}"),
    Column[_Ranked]("95 %", lambda row: f"{row.rating.low:+.0f} to {row.rating.high:+.0f}"),
    Column[_Ranked]("score %", lambda row: percent(row.rating.score)),
    Column[_Ranked]("distinct games", lambda row: "" if row.distinct_games is None else str(row.distinct_games)),
    Column[_Ranked]("ms per move", _time),
)
"""What is shown of each player."""


def ratings_table(tournament: Tournament) -> Table:
    """Returns the table of ratings, the best player first."""
    title = f"Ratings of {tournament.game} (0 is the mean of all; 95 % intervals)"
    return build_table(title, RATING_COLUMNS, _ranked(tournament))


def cross_table(tournament: Tournament) -> Table:
    """Returns the table of all scores, the best player first."""
    scores, halves = cross_scores(tournament)

    def against(other: int) -> Column[_Ranked]:
        def text(row: _Ranked) -> str:
            at = row.place - 1, other
            return "" if np.isnan(scores[at]) else f"{scores[at]:.1f}\n±{halves[at]:.1f}"

        return Column(str(other + 1), text)

    title = f"Scores of row against column in %, {tournament.games} games each, wins and half the draws"
    return build_table(title, [_PLACE, _AGENT, *map(against, range(len(scores)))], _ranked(tournament))


def print_tables(tournament: Tournament) -> None:
    """Prints ratings and cross table."""
    for table in (ratings_table(tournament), cross_table(tournament)):
        print_table(table)


def tournament_picture(tournament: Tournament) -> Figure:
    """Returns a picture of the ratings with their intervals beside the cross table, the best player on top."""
    ranked, n = _ranked(tournament), len(tournament.entries)
    figure = Figure(figsize=(7 + 0.75 * n, 2 + 0.4 * n), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[4, 1 + 0.75 * n])
    elo, low, high = (np.array([getattr(row.rating, name) for row in ranked]) for name in ("elo", "low", "high"))
    draw_intervals(left, [row.entry.name for row in ranked], elo, low, high)
    left.set(xlabel="Elo (0 is the mean of all)", title="Ratings, 95 % intervals")
    draw_cross_map(right, *cross_scores(tournament), tournament.games)
    return figure
