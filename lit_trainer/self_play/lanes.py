"""Shares the games of a schedule out over lanes, which take turns at trees and network.

A lane is one `GameRunner` with its own trees. While one lane's leaves are in the network, the other lane's trees are
searched: on the CPU's other core, or beside the GPU. How games are shared out over lanes does not depend on the number
of threads, so no result does either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_trainer.networks.evaluators import Floats
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player
from lit_trainer.players.python_player import PythonPlayer
from lit_trainer.self_play.lane_threads import Lane, run_lanes
from sim_core import GameRunner, LeafBatch, SearchSettings, Trees
from sim_core.runner_settings import RunnerSettings, ValueTarget

LANES = 2
_LEAST_SLOTS = 32  # with fewer games a second lane would only halve the network's batches
_PARTS = ("forward", "tree", "encoding", "opponents")


@dataclass(frozen=True)
class Schedule:
    """Lists the games to play, in the order in which they begin.

    Args:
        streams: Numbers of the random streams that deal the games, int64 [m]. Games with the same number share a deal.
        first_player: Seat that begins, 0 or 1, int64 [m].
        controllers: Who plays each seat, int64 [m, 2]. 0 is the learner, k is opponent number k - 1.
    """

    streams: NDArray[np.int64]
    first_player: NDArray[np.int64]
    controllers: NDArray[np.int64]

    def __len__(self) -> int:
        """Returns the number of games."""
        return len(self.streams)

    def part(self, rows: NDArray[np.intp]) -> Schedule:
        """Returns the schedule of some of the games.

        Args:
            rows: Numbers of the games, int [k].
        """
        return Schedule(self.streams[rows], self.first_player[rows], self.controllers[rows])


@dataclass
class PlayedGames:
    """Keeps what became of a schedule's games, and the positions in which the learner moved.

    Games stand in the schedule's order, positions lane by lane and game by game.

    Args:
        outcomes: Outcome for player 0: -1, 0 or 1, int8 [m].
        scores: Scores of both players, int32 [m, 2].
        keys: Keys of the games, int64 [m], see `GameRecord.keys`. Empty where none were kept.
        states: The learner's positions, packed, uint8 [k, state_size]. Empty where none were recorded.
        policies: Policy targets of the positions, float32 [k, A]. Rows of zeros where there was no search.
        position_outcomes: What the value learns, for the player to move, from -1 to 1, float32 [k]. See
            `RunnerSettings`.
        position_margins: Final margin for the player to move, its score minus the opponent's, int32 [k].
        position_values: The search's value for the player to move, exact where solved, float32 [k]. NaN without search.
        conditions: What the network was told besides the observation, probabilities times 255, uint8
            [k, condition_size]. None: Nothing.
        evaluations: Positions that the learner's network evaluated.
        simulations: Simulations of the learner's searches.
        seconds: Wall-clock seconds from the first move to the last.
        thread_seconds: Wall-clock seconds of all threads.
        spent: Part of the work to the thread seconds that it took: forward, tree, encoding, opponents. In the rest the
            threads waited.
    """

    outcomes: NDArray[np.int8]
    scores: NDArray[np.int32]
    keys: NDArray[np.int64]
    states: NDArray[np.uint8]
    policies: Floats
    position_outcomes: Floats
    position_margins: NDArray[np.int32]
    position_values: Floats
    conditions: NDArray[np.uint8] | None
    evaluations: int
    simulations: int
    seconds: float
    thread_seconds: float
    spent: dict[str, float] = field(default_factory=dict)


class LaneMemory:
    """Keeps the trees and buffers of the lanes from one schedule to the next."""

    def __init__(self) -> None:
        self._shape: tuple[Any, ...] = ()
        self._lanes: list[LeafBatch] = []

    def lanes(self, game: str, slots: int, simulations: int, condition_size: int = 0) -> list[LeafBatch]:
        """Returns the lanes' trees and buffers. They are those of the last call where nothing has changed.

        Args:
            game: Name of the game.
            slots: Games that are played side by side, in all lanes together.
            simulations: Most simulations per move.
            condition_size: Numbers that the learner's network is told besides an observation.
        """
        shape = (game, slots, max(simulations, 1), condition_size)
        if shape != self._shape:
            count = LANES if slots >= _LEAST_SLOTS else 1
            bounds = [slots * lane // count for lane in range(count + 1)]
            # each lane has its own memory, because an evaluator's `observation_buffer` is one for each thread
            self._lanes = [
                LeafBatch(Trees(game, high - low, shape[2]), condition_size=condition_size)
                for low, high in pairwise(bounds)
            ]
            self._shape = shape
        for leaves in self._lanes:
            leaves.seconds.update(dict.fromkeys(leaves.seconds, 0.0))
        return self._lanes

    def forget(self) -> None:
        """Takes new memory next time, because an abandoned lane may still write into this one."""
        self._shape, self._lanes = (), []


def runner_settings(learner: NetworkPlayer | None, value_target: ValueTarget = "outcome") -> RunnerSettings:
    """Returns the settings of a runner that plays a learner's moves.

    Args:
        learner: The learner. None: There is none.
        value_target: What the positions' values learn, "outcome" or "endgame"; see `RunnerSettings`.

    Raises:
        ValueError: The learner expects an agent, which in games of a runner can only be told.
    """
    if learner is None:
        return RunnerSettings(0, SearchSettings(), value_target)
    if not isinstance(learner.opponent_model, str):
        raise ValueError(
            f"opponent_model: {learner.opponent_model!r} given, expected a name; 'told' expects such an agent"
        )
    return RunnerSettings(learner.simulations, learner.settings, value_target, learner.opponent_model)


def play_schedule(
    learner: NetworkPlayer | None,
    schedule: Schedule,
    opponents: Sequence[Player],
    *,
    game: str,
    seed: int,
    parallel_games: int,
    settings: RunnerSettings | None = None,
    record: bool = False,
    keys: bool = False,
    opening_plies: int = 0,
    memory: LaneMemory | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> PlayedGames:
    """Plays all games of a schedule.

    Args:
        learner: Plays the seats of controller 0. None: There are no such seats.
        schedule: The games.
        opponents: The other players. Controller k is number k - 1. Built-in opponents move inside the engine.
        game: Name of the game.
        seed: Random seed of the deals.
        parallel_games: Games played side by side.
        settings: Settings of the learner's moves and of what its positions learn. None: The learner's.
        record: Whether to keep the learner's positions and policy targets.
        keys: Whether to keep a key of each game.
        opening_plies: Random plies that each game begins with, see `GameRunner`. Games of one stream share them.
        memory: Trees and buffers, kept from one call to the next. None: They are made for this call.
        on_progress: Is told the games played so far, in part-games, a few times per second, in the calling thread. What
            it raises ends the games.

    Raises:
        AgentTimeoutError: An agent written in Python takes longer for a move than its `time_limit`.
    """
    memory = memory or LaneMemory()
    settings = settings or runner_settings(learner)
    threads = learner.threads if learner else 1
    slots = max(1, min(parallel_games, len(schedule)))
    memories = memory.lanes(game, slots, settings.simulations, learner.condition_size if learner else 0)
    outside = {k: p for k, p in enumerate(opponents) if not isinstance(p, BuiltinPlayer)}
    # one lock for each player, because a player may stand among the opponents twice
    by_player = {id(player): threading.Lock() for player in outside.values()}
    locks = {k: by_player[id(player)] for k, player in outside.items()}
    in_engine = [_in_engine(player) for player in opponents]
    asked = any(isinstance(known, PythonPlayer) for known, _ in in_engine)
    parts = _share_out(schedule, opponents, len(memories))
    lanes: list[Lane] = []
    for leaves, rows in zip(memories, parts, strict=True):
        part = schedule.part(rows)
        runner = GameRunner(
            leaves,
            settings,
            temperature=learner.temperature if learner else 0.0,
            seed=seed,
            learner_seed=learner.seed if learner else 0,
            streams=part.streams,
            first_player=part.first_player,
            controllers=part.controllers,
            opponents=in_engine,
            record=record,
            keys=keys,
            opening_plies=opening_plies,
        )
        # games against agents written in Python are all in the first lane
        lanes.append(Lane(runner, outside, locks, not lanes and settings.opponent_model == "told" and asked))
    started = time.perf_counter()
    try:
        workers = run_lanes(lanes, learner.evaluator if learner else None, threads, on_progress)
    except BaseException:
        memory.forget()
        raise
    return _collect(lanes, parts, time.perf_counter() - started, workers)


def _in_engine(player: Player) -> tuple[str | PythonPlayer | None, int]:
    """Returns what the engine knows of an opponent, see `GameRunner`."""
    if isinstance(player, BuiltinPlayer):
        return player.name, player.seed
    return (player.model if isinstance(player, PythonPlayer) else None), 0


def _share_out(schedule: Schedule, opponents: Sequence[Player], lanes: int) -> list[NDArray[np.intp]]:
    """Gives each lane every other game, but all games against agents written in Python to the first lane.

    Such an agent may keep its own state, so it must always meet its games in the same order.
    """
    lane = np.arange(len(schedule)) % lanes
    python = [k + 1 for k, player in enumerate(opponents) if isinstance(player, PythonPlayer)]
    lane[np.isin(schedule.controllers, python).any(axis=1)] = 0
    return [np.flatnonzero(lane == k) for k in range(lanes)]


def _collect(lanes: Sequence[Lane], parts: Sequence[NDArray[np.intp]], seconds: float, workers: int) -> PlayedGames:
    """Returns the lanes' games in the schedule's order, and their positions lane by lane."""
    order = np.argsort(np.concatenate(parts), kind="stable")
    records = [lane.runner.record for lane in lanes]
    keys = np.concatenate([record.keys for record in records])
    spent = [lane.seconds() for lane in lanes]
    return PlayedGames(
        outcomes=np.concatenate([record.outcomes for record in records])[order],
        scores=np.concatenate([record.scores for record in records])[order],
        keys=keys[order] if len(keys) else keys,
        states=np.concatenate([record.states for record in records]),
        policies=np.concatenate([record.policies for record in records]),
        position_outcomes=np.concatenate([record.position_outcomes for record in records]).astype(np.float32),
        position_margins=np.concatenate([record.position_margins for record in records]),
        position_values=np.concatenate([record.position_values for record in records]),
        conditions=np.concatenate([record.conditions for record in records]),
        evaluations=sum(lane.evaluations for lane in lanes),
        simulations=sum(lane.runner.simulations_done for lane in lanes),
        seconds=seconds,
        thread_seconds=workers * seconds,
        spent={name: sum(part[name] for part in spent) for name in _PARTS},
    )
