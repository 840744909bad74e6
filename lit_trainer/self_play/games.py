"""Plays the learner's games against itself and its opponents, and keeps the learner's positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lit_trainer.networks.evaluators import Floats
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player
from lit_trainer.self_play.lanes import LaneMemory, Schedule, play_schedule
from lit_trainer.self_play.stats import Results, SelfPlayStats
from sim_core.runner_settings import RunnerSettings


class OpponentGames(NamedTuple):
    """Says how many games to play against one opponent.

    Args:
        name: Name of the opponent.
        games: Number of games.
        player: The opponent. None: The learner itself, which then plays both seats.
    """

    name: str
    games: int
    player: Player | None


@dataclass
class GeneratedGames:
    """Keeps the positions in which the learner moved, and how its games ended.

    Args:
        states: Packed positions, uint8 [m, state_size].
        policies: Policy targets, float32 [m, A]. Rows of zeros where there was no search.
        outcomes: What the value learns, for the player to move, from -1 to 1, float32 [m]. See `RunnerSettings`.
        stats: Results, counts and seconds of the games.
        margins: Final margin for the player to move, its score minus the opponent's, int32 [m]. None: Not known.
        values: The search's value for the player to move, exact where solved, float32 [m]. NaN without search. None:
            Not known.
        conditions: What the network was told besides the observation, probabilities times 255, uint8
            [m, condition_size]. None: Nothing.
    """

    states: NDArray[np.uint8]
    policies: Floats
    outcomes: Floats
    stats: SelfPlayStats = field(default_factory=SelfPlayStats)
    margins: NDArray[np.int32] | None = None
    values: Floats | None = None
    conditions: NDArray[np.uint8] | None = None

    @property
    def results(self) -> Results:
        """Returns opponent to the learner's (wins, draws, losses). In self-play they are those of player 0."""
        return self.stats.results


def _schedule(
    opponents: Sequence[OpponentGames], mirrored: bool
) -> tuple[Schedule, NDArray[np.int64], NDArray[np.int8]]:
    """Returns the games in the order in which they begin, each one's opponent (index), and the learner's seat."""
    counts = [entry.games for entry in opponents]
    index = np.repeat(np.arange(len(opponents)), counts)
    seats = np.concatenate([np.arange(count) % 2 for count in counts]) if counts else np.zeros(0, dtype=np.int64)
    numbers = np.arange(len(index))
    deals = numbers
    controllers = np.zeros((len(index), 2), dtype=np.int64)
    others = [k for k, entry in enumerate(opponents) if entry.player is not None]
    for controller, k in enumerate(others):
        rows = np.flatnonzero(index == k)
        controllers[rows, 1 - seats[rows]] = controller + 1
        if mirrored:
            # the second game of a pair has the first one's deal; in self-play that would be the same game again
            deals = np.where(index == k, numbers - seats, deals)
    # opponents' games are spread over the whole time, so that the mix of work stays the same
    order = np.argsort(numbers * 0.6180339887498949 % 1.0, kind="stable")
    schedule = Schedule(deals[order], (deals // 2 % 2)[order], controllers[order])
    return schedule, index[order], seats[order].astype(np.int8)


def generate_games_batched_by_opponent(
    learner: NetworkPlayer,
    opponents: Sequence[OpponentGames],
    *,
    game: str,
    seed: int,
    parallel_games: int = 1024,
    mirrored: bool = False,
    settings: RunnerSettings | None = None,
    player: str = "rank 0",
    memory: LaneMemory | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> GeneratedGames:
    """Plays all games side by side and returns the learner's positions.

    One network call takes the learner's leaves of all games. Built-in opponents move in C. Any other opponent moves in
    one call for all games that wait for it. When a game ends, its slot takes the next one.

    Args:
        learner: The network that learns. Its moves become positions. Where it has several threads, they call its
            evaluator at the same time.
        opponents: The opponents and their numbers of games.
        game: Name of the game.
        seed: Random seed of the deals. Game i is dealt from stream i.
        parallel_games: Games played side by side.
        mirrored: Whether each deal against an opponent is played twice, with the learner in either seat.
        settings: Settings of the learner's moves and of what its positions learn. None: The learner's, and positions
            learn the outcome.
        player: Name of this process among those that play at the same time, see `SelfPlayStats`.
        memory: Trees and buffers, kept from one call to the next. None: They are made for this call.
        on_progress: Is told the games played so far, in part-games, a few times per second. What it raises ends the
            games.

    Raises:
        ValueError: Names the argument that is out of range.
    """
    if parallel_games < 1:
        raise ValueError(f"parallel_games: {parallel_games} given, expected at least 1")
    for entry in opponents:
        if entry.games < 0:
            raise ValueError(f"opponents: {entry.games} games against {entry.name} given, expected 0 or more")
    schedule, index, seats = _schedule(opponents, mirrored)
    played = play_schedule(
        learner,
        schedule,
        [entry.player for entry in opponents if entry.player is not None],
        game=game,
        seed=seed,
        parallel_games=parallel_games,
        settings=settings,
        record=True,
        memory=memory,
        on_progress=on_progress,
    )
    results = {}
    for k, entry in enumerate(opponents):
        own = (index == k) & (True if entry.player is None else seats == 0)
        mine = np.where(own, played.outcomes, -played.outcomes)[index == k]
        results[entry.name] = (int((mine == 1).sum()), int((mine == 0).sum()), int((mine == -1).sum()))
    return GeneratedGames(
        states=played.states,
        policies=played.policies,
        outcomes=played.position_outcomes,
        stats=SelfPlayStats.of_games(played, results, player),
        margins=played.position_margins,
        values=played.position_values,
        conditions=played.conditions,
    )


def join_games(parts: Sequence[GeneratedGames]) -> GeneratedGames:
    """Returns the games of several chunks as one.

    Values and margins are known where all chunks know theirs. Chunks that were told nothing have conditions of zeros.
    """
    searched = [part.values for part in parts if part.values is not None]
    margins = [part.margins for part in parts if part.margins is not None]
    sizes = {part.conditions.shape[1] for part in parts if part.conditions is not None}
    told = [
        np.zeros((len(p.states), max(sizes)), np.uint8) if p.conditions is None else p.conditions
        for p in parts
        if sizes
    ]
    return GeneratedGames(
        states=np.concatenate([part.states for part in parts]),
        policies=np.concatenate([part.policies for part in parts]),
        outcomes=np.concatenate([part.outcomes for part in parts]),
        stats=sum((part.stats for part in parts), SelfPlayStats()),
        margins=np.concatenate(margins) if len(margins) == len(parts) else None,
        values=np.concatenate(searched) if len(searched) == len(parts) else None,
        conditions=np.concatenate(told) if told else None,
    )
