"""Plays the matches of validation and test: a network against one opponent, in parts that processes share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Literal

from lit_trainer.learning.settings import PLAY_SEARCH
from lit_trainer.learning.stopping import CommonStop
from lit_trainer.measuring.matches import Match, PlayedMatch, play_match, timed_name
from lit_trainer.measuring.move_times import MoveTimes
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.engine_players import BuiltinPlayer, IsmctsPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player
from lit_trainer.players.roster import Roster
from lit_trainer.self_play.lanes import LaneMemory
from lit_trainer.utils.memory import memory_advice
from lit_trainer.utils.seeding import derive_seed
from sim_core import SearchSettings


def shared_games(games: int, rank: int, world: int) -> tuple[int, int]:
    """Returns the numbers of the first game of a process and of the first one after its last.

    Deals are shared as evenly as their number allows. Both games of a deal go to the same process.

    Args:
        games: Games of the whole match, an even number.
        rank: Number of the process.
        world: Number of processes.

    >>> [shared_games(10, rank, 3) for rank in range(3)]
    [(0, 2), (2, 6), (6, 10)]
    """
    deals = games // 2
    return 2 * (deals * rank // world), 2 * (deals * (rank + 1) // world)


@dataclass(frozen=True)
class Conditions:
    """Describes how matches are played, whoever plays.

    Args:
        search: Settings of the network's search.
        opening_plies: Random plies that each game begins with. None: the default for the game, see `play_match`.
        threads: CPU threads for trees and network together.
        parallel_games: Games played side by side.
        known_opponents: Names of the built-in opponents that a network which infers tells apart, see `RunnerSettings`.
        rank: Number of this process.
        world: Number of processes that share each match.
    """

    search: SearchSettings = PLAY_SEARCH
    opening_plies: int | None = None
    threads: int = 1
    parallel_games: int = 1024
    known_opponents: Sequence[str] | None = None
    rank: int = 0
    world: int = 1


class EvaluationMatches:
    """Plays matches of a network against opponents of a roster, without noise and at temperature 0.

    Deals and openings depend on the seed, the purpose and the opponent only. They are the same at every iteration, at
    every number of simulations and with any number of processes.

    Args:
        game: Name of the game.
        roster: All opponents, by the names that matches give.
        seed: Random seed of deals, searches and opponents. The same seed gives the same matches.
        stop: Ends the matches of all processes together when the run is told to end. None: They are never ended.
    """

    def __init__(self, game: str, roster: Roster, seed: int, stop: CommonStop | None = None) -> None:
        self.game = game
        self.roster = roster
        self.seed = seed
        self.move_times = MoveTimes()
        """Times per move by player: `sims:N` and `sims:N+MODEL` for the network, and the names of opponents that
        search. Only timed matches add to them, and only in the first process."""
        self._stop = stop or CommonStop()
        self._memory = LaneMemory()

    def play(
        self,
        network: PolicyValueNetwork,
        match: Match,
        games: int,
        conditions: Conditions,
        *,
        purpose: Literal["evaluation", "test"] = "evaluation",
        on_progress: Callable[[float], None] | None = None,
    ) -> PlayedMatch:
        """Plays this process's share of a match. Games 2k and 2k + 1 share deal and opening, with the seats exchanged.

        Args:
            network: Network that is measured, with its current weights.
            match: The opponent, the network's simulations per move, and what it knows of the opponent.
            games: Games of the whole match, an even number.
            conditions: How the match is played, and this process's part in it.
            purpose: Part of the seed. A test has other deals than validation, by whose results a checkpoint may have
                been chosen. A test also measures the players' times per move.
            on_progress: Receives the number of games played so far, with parts of games, several times a second. What
                it raises ends the match.

        Returns:
            This process's games.
        """
        seed = derive_seed(self.seed, purpose, match.opponent)
        first, end = shared_games(games, conditions.rank, conditions.world)
        advice = f"lower data.generation.parallel_games (now {conditions.parallel_games})"
        with memory_advice("in a match", advice), TorchEvaluator(network) as evaluate:
            player = NetworkPlayer(
                evaluate,
                simulations=match.simulations,
                temperature=0.0,
                seed=derive_seed(seed, "search"),
                threads=conditions.threads,
                settings=conditions.search,
                opponent_model=match.opponent_model,
                known_opponents=conditions.known_opponents,
            )
            roster = self.roster.to(next(network.parameters()).device)
            opponent = roster[match.opponent].player(derive_seed(seed, "opponent"), conditions.threads)
            if purpose == "test" and conditions.rank == 0:
                self._time(match, player, opponent)
            return self._stop.together(
                partial(
                    play_match,
                    player,
                    opponent,
                    end - first,
                    game=self.game,
                    seed=seed,
                    first=first,
                    opening_plies=conditions.opening_plies,
                    parallel_games=conditions.parallel_games,
                    memory=self._memory,
                    on_progress=on_progress,
                )
            )

    def _time(self, match: Match, player: NetworkPlayer, opponent: Player) -> None:
        timing = self.game, derive_seed(self.seed, "timing")
        if match.opponent_model != "told":
            self.move_times.measure(timed_name(match.simulations, match.opponent_model), player, *timing)
        elif isinstance(opponent, BuiltinPlayer):
            expecting = copy(player)  # positions do not tell who plays, so this player does not ask
            expecting.opponent_model = opponent.name
            self.move_times.measure(timed_name(match.simulations, "told"), expecting, *timing)
        if isinstance(opponent, IsmctsPlayer | NetworkPlayer):
            self.move_times.measure(match.opponent, opponent, *timing)
