"""Plays a learner's games against itself and its opponents, and keeps its positions."""

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


class OpponentGames(NamedTuple):
    """So many games against one opponent."""

    name: str
    games: int
    player: Player | None
    """None: the learner itself, which then plays both seats."""


@dataclass
class GeneratedGames:
    """Positions in which the learner moved, and how its games ended."""

    states: NDArray[np.uint8]
    """Packed positions [m, state_size]."""
    policies: Floats
    """Policy targets [m, A]; rows of zeros where there is none."""
    outcomes: NDArray[np.int8]
    """Outcome for the player to move [m]: -1, 0, 1; an exact value where `value_target` says so."""
    stats: SelfPlayStats = field(default_factory=SelfPlayStats)
    """Results, counts and seconds of the games."""
    margins: NDArray[np.int32] | None = None
    """Final margin for the player to move [m]: the own score less the other's. None: not known."""
    values: Floats | None = None
    """The search's values for the player to move [m], NaN where there was no search. None: not known."""

    @property
    def results(self) -> Results:
        """Returns opponent to the learner's (wins, draws, losses). In self-play they are those of player 0."""
        return self.stats.results


def _schedule(
    opponents: Sequence[OpponentGames], mirrored: bool
) -> tuple[Schedule, NDArray[np.int64], NDArray[np.int8]]:
    """The games in the order they are begun; each one's opponent (index) and the learner's seat."""
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
            # the second game of a pair has the first one's deal; against itself it would be the same game again
            deals = np.where(index == k, numbers - seats, deals)
    # opponents' games are spread over the whole time, so that the mix of work is the same throughout
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
    value_target: str = "outcome",
    player: str = "rank 0",
    memory: LaneMemory | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> GeneratedGames:
    """Play all games side by side: the learner's leaves of all of them in one network call, built-in opponents in C,
    each other opponent type in one call for all games that wait for it. Slots whose game is over take the next.

    Args:
        learner: the network that learns; its moves become positions. Its evaluator is called from several threads
            where the learner has several.
        opponents: how many games against whom.
        game: name of the game.
        seed: of the deals; game i is dealt from stream i.
        parallel_games: games played side by side.
        value_target: what positions learn as their value: "outcome", the game's as it was played, or "endgame", the
            exact value of the game's first position that can be solved (of positions from there on, their own).
        mirrored: play each deal against an opponent twice, with the learner in either seat.
        player: Name of this process among those that play at the same time, see `SelfPlayStats`.
        memory: of the lanes, kept from one call to the next; None: of this call's own.
        on_progress: told the games played so far, in part-games, as they go on.

    Raises:
        ValueError: names the argument that is out of range.
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
        record=True,
        value_target=value_target,
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
    )


def join_games(parts: Sequence[GeneratedGames]) -> GeneratedGames:
    """Returns the games of several chunks as one. Values and margins are known where all chunks know theirs."""
    searched = [part.values for part in parts if part.values is not None]
    margins = [part.margins for part in parts if part.margins is not None]
    return GeneratedGames(
        states=np.concatenate([part.states for part in parts]),
        policies=np.concatenate([part.policies for part in parts]),
        outcomes=np.concatenate([part.outcomes for part in parts]),
        stats=sum((part.stats for part in parts), SelfPlayStats()),
        margins=np.concatenate(margins) if len(margins) == len(parts) else None,
        values=np.concatenate(searched) if len(searched) == len(parts) else None,
    )
