"""Statistics of self-play: counts and seconds that can be added up, and the rates and shares that follow from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lit_trainer.players.specs import PAST, past_name
from lit_trainer.self_play.lanes import PlayedGames

Results = Mapping[str, tuple[int, int, int]]
"""Opponent to the learner's (wins, draws, losses)."""

_LEAST_SECONDS = 1e-9  # a rate of no time at all is finite, too


@dataclass(frozen=True)
class SelfPlayStats:
    """Counts games and adds up where their time went.

    Statistics are added with ``+``: of chunks, of workers, of processes, of iterations. The order does not matter, and
    ``SelfPlayStats()`` is the neutral element. So every field is a sum; what is no sum is derived from the sums.

    A player is whoever plays games one batch after another: a training process, or one of its workers. Players work
    side by side. So a rate of all of them is the mean rate of one, times the number of players.

    Args:
        results: Opponent to the learner's wins, draws and losses. In self-play they are those of player 0.
        positions: Positions to learn from.
        evaluations: Positions that the learner's network evaluated.
        simulations: Simulations of the learner's searches.
        seconds_of: Player to the wall-clock seconds that it played.
        thread_seconds: Wall-clock seconds of all threads that played.
        spent: Part of the work to the thread seconds that it took: forward, tree, encoding, opponents.
        replay_positions: Positions in the replay window, over all processes. Adds up over processes only.
        staleness_sum: Iterations that each position's weights were behind when it was taken, summed over positions.
        dropped_games: Games by workers that were too old to learn from.
        waited_seconds: Wall-clock seconds that the trainer waited for workers.
        elapsed_seconds: Wall-clock seconds of the iterations that workers played for. 0: There are no workers.
    """

    results: Results = field(default_factory=dict)
    positions: int = 0
    evaluations: int = 0
    simulations: int = 0
    seconds_of: Mapping[str, float] = field(default_factory=dict)
    thread_seconds: float = 0.0
    spent: Mapping[str, float] = field(default_factory=dict)
    replay_positions: int = 0
    staleness_sum: int = 0
    dropped_games: int = 0
    waited_seconds: float = 0.0
    elapsed_seconds: float = 0.0

    @classmethod
    def of_games(cls, played: PlayedGames, results: Results, player: str) -> SelfPlayStats:
        """Returns the statistics of games that were played in one go.

        Args:
            played: The games.
            results: Opponent to the learner's wins, draws and losses.
            player: Name of the player, which differs from those of all others that play at the same time.
        """
        return cls(
            results=results,
            positions=len(played.states),
            evaluations=played.evaluations,
            simulations=played.simulations,
            seconds_of={player: played.seconds},
            thread_seconds=played.thread_seconds,
            spent=played.spent,
        )

    def __add__(self, other: SelfPlayStats) -> SelfPlayStats:
        """Returns the statistics of both."""
        return SelfPlayStats(
            **{f.name: _sum(getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self)}
        )

    # -- what follows from the sums --------------------------------------------------------------------------------

    @property
    def games(self) -> int:
        """Returns the number of games."""
        return sum(map(sum, self.results.values()))

    @property
    def players(self) -> int:
        """Returns how many processes played side by side."""
        return len(self.seconds_of)

    @property
    def seconds(self) -> float:
        """Returns the wall-clock seconds of the player that took longest."""
        return max(self.seconds_of.values(), default=0.0)

    def per_second(self, count: int) -> float:
        """Returns the rate of something counted, summed over the players that work side by side.

        It is the rate of an average player while it plays, times the number of players. Time in which a player waits
        for orders is not in it.

        Args:
            count: What is counted, e.g. ``stats.games``.
        """
        return self.players * count / max(sum(self.seconds_of.values()), _LEAST_SECONDS)

    @property
    def shares(self) -> dict[str, float]:
        """Returns the shares of all threads' time by part of the work, which sum to 1; the rest is "waiting"."""
        whole = max(self.thread_seconds, _LEAST_SECONDS)
        shares = {part: seconds / whole for part, seconds in self.spent.items()}
        return shares | {"waiting": max(0.0, 1.0 - sum(shares.values()))}

    @property
    def has_workers(self) -> bool:
        """Returns whether workers played."""
        return self.elapsed_seconds > 0.0

    @property
    def staleness(self) -> float:
        """Returns the iterations that a position's weights were behind, as a mean over positions."""
        return self.staleness_sum / max(self.positions, 1)

    @property
    def wait_share(self) -> float:
        """Returns the share of its time that the trainer waited for workers' games."""
        return self.waited_seconds / max(self.elapsed_seconds, _LEAST_SECONDS)

    def to_log(self) -> dict[str, float]:
        """Returns the numbers to log, by name.

        - ``games``, ``positions``, ``replay_positions``, ``dropped_games``, ``games/NAME``: Counts.
        - ``seconds``: Seconds of play of the player that took longest.
        - ``X_per_second``: Rates, summed over players; see `per_second`.
        - ``PART_share``: Shares of all threads' time; see `shares`.
        - ``score/NAME``: Mean score against that opponent. A draw counts half.
        - ``staleness``, ``wait_share``: Means; with ``dropped_games`` they are there where workers play.

        Past checkpoints share one name. A name for each would be one more at every snapshot, which loggers keep, and
        search, to the run's end. Where nobody played, there is nothing to log.

        >>> results = {"random": (3, 0, 1), "past_50": (1, 0, 0), "past_100": (0, 1, 0)}
        >>> logged = SelfPlayStats(results=results, seconds_of={"rank 0": 2.0}).to_log()
        >>> {name: number for name, number in logged.items() if "/" in name}
        {'games/random': 4.0, 'score/random': 0.75, 'games/past': 2.0, 'score/past': 0.75}
        >>> logged["games_per_second"]
        3.0
        """
        if not self.players:
            return {}
        logged = {
            "games": float(self.games),
            "positions": float(self.positions),
            "seconds": self.seconds,
            "games_per_second": self.per_second(self.games),
            "positions_per_second": self.per_second(self.positions),
            "evaluations_per_second": self.per_second(self.evaluations),
            "simulations_per_second": self.per_second(self.simulations),
        }
        logged |= {f"{part}_share": share for part, share in self.shares.items()}
        if self.has_workers:
            logged |= {
                "staleness": self.staleness,
                "wait_share": self.wait_share,
                "dropped_games": float(self.dropped_games),
            }
        logged |= self._results_to_log()
        return logged | {"replay_positions": float(self.replay_positions)}

    def _results_to_log(self) -> dict[str, float]:
        by_name: dict[str, tuple[int, int, int]] = {}
        for name, counts in self.results.items():
            name = PAST if name.startswith(past_name("")) else name
            by_name = _sum(by_name, {name: counts})
        logged = {}
        for name, (wins, draws, losses) in by_name.items():
            games = wins + draws + losses
            logged[f"games/{name}"] = float(games)
            if games:
                logged[f"score/{name}"] = (wins + draws / 2) / games
        return logged


def _sum(first: Any, second: Any) -> Any:
    """Returns the sum of two numbers, of two tuples' entries, or of two mappings' entries of the same name."""
    if isinstance(first, Mapping):
        joined = dict(first)
        for name, value in second.items():
            joined[name] = _sum(joined[name], value) if name in joined else value
        return joined
    if isinstance(first, tuple):
        return tuple(a + b for a, b in zip(first, second, strict=True))
    return first + second
