"""Plays a round robin on mirrored deals and rates the players in Elo."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch

from lit_trainer.measuring.contestants import Contestant
from lit_trainer.measuring.matches import checked_opening_plies, play_match
from lit_trainer.measuring.metrics import MatchResult, MatchScore
from lit_trainer.measuring.move_times import MoveTime, time_moves
from lit_trainer.measuring.positions import POSITIONS, sample_positions
from lit_trainer.measuring.statistics import ELO, Z95, Doubles, bradley_terry, pair_dispersion, rating_errors
from lit_trainer.self_play.lanes import LaneMemory
from lit_trainer.utils.environment import environment
from lit_trainer.utils.seeding import derive_seed
from sim_core import get_game

PRIOR_GAMES = 1.0
"""Drawn games made up for every pairing, so that a player who won all games has a finite rating too."""


@dataclass(frozen=True)
class Entry:
    """Describes a player of a tournament."""

    name: str
    """Name to show."""
    spec: str
    """Name as it was given."""
    identity: str
    """Equal for equal players, wherever their files are."""
    simulations: int | None = None
    """Simulations per move of a checkpoint."""
    iteration: int | None = None
    """Iterations that a checkpoint's run had done."""
    ms_per_move: MoveTime | None = None
    """Time per move, of players that take any."""


@dataclass(frozen=True)
class Pairing:
    """Says how two players' match went."""

    a: int
    """Number of the first player among the entries."""
    b: int
    """Number of the second player."""
    result: MatchResult
    """Result for the first player."""
    pairs: tuple[int, ...]
    """How many pairs of games brought the first player 0, 1/2, 1, 3/2 and 2 points."""
    seconds: float = 0.0
    """Seconds that the match took."""


@dataclass(frozen=True)
class Rating:
    """Says how strong a player is among those of a tournament."""

    name: str
    """Name of the player."""
    elo: float
    """Elo. 0 is the mean of all players."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    score: float
    """Share of the points of all its games."""


@dataclass(frozen=True)
class Tournament:
    """Holds the settings of a tournament, and what has been played so far."""

    game: str
    """Name of the game."""
    games: int
    """Games of each pairing."""
    seed: int
    """Random seed of deals and of all choices."""
    device: str
    """Device of the networks."""
    entries: tuple[Entry, ...]
    """The players."""
    opening_plies: int = 0
    """Random plies that each game begins with."""
    prior_games: float = PRIOR_GAMES
    """Drawn games made up for every pairing."""
    pairings: tuple[Pairing, ...] = ()
    """The matches that are finished."""
    ratings: tuple[Rating, ...] = ()
    """The players' ratings, in their order. Empty until all matches are finished."""
    environment: Mapping[str, Any] = field(default_factory=environment, compare=False)
    """Date, versions and machine of its beginning."""

    @property
    def rules_version(self) -> int:
        """Returns the version of the game's rules."""
        return get_game(self.game).version

    @property
    def missing(self) -> list[tuple[int, int]]:
        """Returns the pairs of players that have not met, in the order in which they will."""
        done = {(pairing.a, pairing.b) for pairing in self.pairings}
        return [pair for pair in combinations(range(len(self.entries)), 2) if pair not in done]

    def with_pairing(self, pairing: Pairing) -> Tournament:
        """Returns the tournament with one more finished match."""
        return replace(self, pairings=(*self.pairings, pairing))


def new_tournament(
    contestants: Sequence[Contestant],
    game: str,
    games: int,
    seed: int,
    device: str = "cpu",
    opening_plies: int | None = None,
) -> Tournament:
    """Returns a tournament of which nothing has been played.

    Args:
        contestants: The players.
        game: Name of the game.
        games: Games of each pairing, an even number: each deal is played from both seats.
        seed: Random seed. The same seed gives the same result.
        device: Device of the networks, which is only noted.
        opening_plies: Random plies that each game begins with. None: the default for the game, see `play_match`.

    Raises:
        ValueError: `opening_plies` is out of range.
    """
    entries = tuple(Entry(one.name, one.spec, one.identity, one.simulations, one.iteration) for one in contestants)
    return Tournament(game, games, seed, device, entries, checked_opening_plies(opening_plies, game))


def with_times(tournament: Tournament, contestants: Sequence[Contestant], threads: int) -> Tournament:
    """Returns the tournament with the times per move of players that take any and have not been measured."""
    positions = sample_positions(tournament.game, POSITIONS, derive_seed(tournament.seed, "timing"))
    entries = [
        replace(entry, ms_per_move=time_moves(one.player(1, threads), positions))
        if one.is_timed and entry.ms_per_move is None
        else entry
        for entry, one in zip(tournament.entries, contestants, strict=True)
    ]
    return replace(tournament, entries=tuple(entries))


def play_missing(
    tournament: Tournament,
    contestants: Sequence[Contestant],
    *,
    threads: int = 1,
    parallel_games: int = 512,
    on_progress: Callable[[int, int, float], None] | None = None,
) -> Iterator[Pairing]:
    """Plays the matches that a tournament lacks, and yields each as soon as it is finished.

    Args:
        tournament: The tournament.
        contestants: Its players, in their order.
        threads: Threads for trees and networks. No result depends on it.
        parallel_games: Games played side by side.
        on_progress: Called with the two players' numbers and the games of their match played so far.
    """
    memory = LaneMemory()
    for a, b in tournament.missing:

        def advance(played: float, a: int = a, b: int = b) -> None:
            if on_progress is not None:
                on_progress(a, b, played)

        advance(0.0)
        sides = contestants[a], contestants[b]
        start = time.perf_counter()
        result, pairs = _play_pairing(tournament, *sides, threads, parallel_games, memory, advance)
        yield Pairing(a, b, result, pairs, round(time.perf_counter() - start, 3))


def _play_pairing(
    tournament: Tournament,
    one: Contestant,
    other: Contestant,
    threads: int,
    parallel_games: int,
    memory: LaneMemory,
    on_progress: Callable[[float], None],
) -> tuple[MatchResult, tuple[int, ...]]:
    # the match depends on the two players and the seed alone, not on the other players
    seed = derive_seed(tournament.seed, "tournament", tournament.game, *sorted((one.identity, other.identity)))
    played = play_match(
        one.player(derive_seed(seed, one.identity), threads),
        other.player(derive_seed(seed, other.identity), threads),
        tournament.games,
        game=tournament.game,
        seed=seed,
        opening_plies=tournament.opening_plies,
        parallel_games=parallel_games,
        memory=memory,
        on_progress=on_progress,
    )
    score = MatchScore()
    score.update(*map(torch.from_numpy, played))
    of_pairs = played.outcomes.astype(np.int64).reshape(-1, 2).sum(axis=1)
    return score.compute(), tuple(np.bincount(of_pairs + 2, minlength=5).tolist())


def rate(tournament: Tournament) -> tuple[Rating, ...]:
    """Returns the players' Elo with 95 % intervals, in their order.

    Each match counts as many games as its intervals do, see `independent_pairs`: fewer than were played where games
    repeat each other.
    """
    n, prior = len(tournament.entries), tournament.prior_games
    totals = np.zeros(n)
    points, games, variances = (np.zeros((n, n)) for _ in range(3))
    for pairing in tournament.pairings:
        a, b, result = pairing.a, pairing.b, pairing.result
        independent = tournament.games / 2 if result.independent_pairs is None else result.independent_pairs
        made = result.score * 2 * independent
        points[a, b], points[b, a] = made + prior / 2, 2 * independent - made + prior / 2
        games[a, b] = games[b, a] = 2 * independent + prior
        variances[a, b] = variances[b, a] = _variance(pairing.pairs, independent, prior)
        for player, score in ((a, result.score), (b, 1.0 - result.score)):
            totals[player] += score * tournament.games
    ratings = bradley_terry(points, games)
    errors: Doubles = rating_errors(ratings, games, variances)
    return tuple(
        Rating(
            name=entry.name,
            elo=ELO * float(ratings[k]),
            low=ELO * float(ratings[k] - Z95 * errors[k]),
            high=ELO * float(ratings[k] + Z95 * errors[k]),
            score=float(totals[k] / ((n - 1) * tournament.games)),
        )
        for k, entry in enumerate(tournament.entries)
    )


def _variance(pairs: Sequence[int], count: float, prior: float) -> float:
    """Returns the variance of the points of `count` independent pairs.

    Args:
        pairs: How many of the pairs that were played brought 0, 1/2, 1, 3/2 and 2 points.
        count: Number of independent pairs among them.
        prior: Drawn games made up for the match.
    """
    scores = np.arange(5) / 4
    mean = float(scores @ pairs) / sum(pairs)
    squares = float((scores - mean) ** 2 @ pairs) * (count / sum(pairs))
    # a little inside 0 and 1, so that a match in which all games were won does not claim to be sure
    inside = (2 * count * mean + prior / 2) / (2 * count + prior)
    return 4 * count * pair_dispersion(count, mean, squares) * inside * (1 - inside)
