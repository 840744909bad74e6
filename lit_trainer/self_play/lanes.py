"""Lanes: parts of a batch of games that take turns at trees and network, so that neither waits for the other.

Each lane is one `GameRunner`. With two threads or more every lane has a thread of its own: while one lane's leaves are
in the network, the other's trees are searched, on the CPU's other core or beside the GPU. How games are shared out over
lanes does not depend on the number of threads, so neither does any result.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lit_trainer.networks.evaluators import Floats
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player
from lit_trainer.players.python_player import AgentTimeoutError, PythonPlayer
from lit_trainer.utils.watch import Watch, interrupted
from sim_core import GameRunner, LeafBatch, Trees

log = logging.getLogger(__name__)

LANES = 2
_LEAST_SLOTS = 32  # with fewer games a second lane would only halve the network's batches
_PROGRESS_SECONDS = 0.1
_OUTSIDE_STEPS = 8  # opponents outside the engine are looked for every so many network calls
_GRACE = 2.0
"""Seconds a lane is given to end by itself once it is told to, and as many again once it was interrupted."""


@dataclass(frozen=True)
class Schedule:
    """The games to be played, in the order in which they are begun."""

    streams: NDArray[np.int64]
    """Stream numbers [m]; games with one number have one deal."""
    first_player: NDArray[np.int64]
    """Who starts, 0 or 1 [m]."""
    controllers: NDArray[np.int64]
    """Who plays which seat [m, 2]: 0 the learner, k the opponent number k - 1."""

    def __len__(self) -> int:
        return len(self.streams)

    def part(self, rows: NDArray[np.intp]) -> Schedule:
        return Schedule(self.streams[rows], self.first_player[rows], self.controllers[rows])


@dataclass
class PlayedGames:
    """What became of a schedule's games, in its order."""

    outcomes: NDArray[np.int8]
    """For player 0 [m]."""
    scores: NDArray[np.int32]
    """Both players' [m, 2]."""
    states: NDArray[np.uint8]
    """The learner's positions, packed [k, state_size]; none where they were not recorded."""
    policies: Floats
    """Their policy targets [k, A]."""
    position_outcomes: NDArray[np.int8]
    """Outcomes, or exact values, for their movers [k]; see `GameRunner`'s `value_target`."""
    position_margins: NDArray[np.int32]
    """Final margins for their movers [k]: the own score less the other's."""
    position_values: Floats
    """The search's values for their movers [k], exact ones where solved; NaN where there was no search."""
    evaluations: int
    """Positions the learner's network rated."""
    simulations: int
    """Of the learner's searches."""
    seconds: float
    thread_seconds: float
    spent: dict[str, float] = field(default_factory=dict)
    """Where the time of all threads went, in seconds: forward, tree, encoding, opponents; the rest they waited."""


class _Lane:
    """One runner, and the time its opponents outside the engine take."""

    def __init__(self, runner: GameRunner, outside: dict[int, Player], locks: dict[int, threading.Lock]) -> None:
        self.runner = runner
        self.outside = outside
        self.locks = locks
        self.evaluations = 0
        self.outside_seconds = 0.0

    def steps(self, learner: NetworkPlayer | None, threads: int) -> Iterator[None]:
        """Play to the end, one network call a step."""
        step = 0
        while True:
            rows = self.runner.advance(threads)
            moved = False
            if self.outside and (rows < self.runner.leaves.slots // 2 or step % _OUTSIDE_STEPS == 0):
                moved = self._ask_outside(all_of_them=rows == 0)
            if rows:
                assert learner is not None
                self.runner.leaves.evaluate(learner.evaluator, rows, threads)
                self.evaluations += rows
            elif not moved and self.runner.is_done:
                return
            step += 1
            yield

    def _ask_outside(self, all_of_them: bool) -> bool:
        """Let opponents outside the engine move, each in one call once half of its games wait for it."""
        moved = False
        for number, player in self.outside.items():
            slots, games = self.runner.outside(number)
            if len(slots) and (all_of_them or 2 * len(slots) >= games):
                start = time.perf_counter()
                with self.locks[number]:
                    actions = player.act(self.runner.positions(slots)).actions
                self.runner.play(slots, actions)
                self.outside_seconds += time.perf_counter() - start
                moved = True
        return moved

    def seconds(self) -> dict[str, float]:
        parts = self.runner.seconds
        return parts | {"opponents": parts["opponents"] + self.outside_seconds}


class LaneMemory:
    """Trees and buffers of the lanes, kept from one schedule to the next."""

    def __init__(self) -> None:
        self._shape: tuple[Any, ...] = ()
        self._lanes: list[LeafBatch] = []

    def lanes(self, game: str, slots: int, learner: NetworkPlayer | None) -> list[LeafBatch]:
        """Lanes with so many slots together; those of the last call, where nothing has changed."""
        simulations = max(learner.simulations, 1) if learner else 1
        shape = (game, slots, simulations)
        if shape != self._shape:
            count = LANES if slots >= _LEAST_SLOTS else 1
            bounds = [slots * lane // count for lane in range(count + 1)]
            # each lane has memory of its own: an evaluator's `observation_buffer` is one for each thread
            self._lanes = [LeafBatch(Trees(game, high - low, simulations)) for low, high in pairwise(bounds)]
            self._shape = shape
        for leaves in self._lanes:
            leaves.seconds.update(dict.fromkeys(leaves.seconds, 0.0))
        return self._lanes

    def forget(self) -> None:
        """Take other memory next time: a lane that was given up may still write into this."""
        self._shape, self._lanes = (), []


def play_schedule(
    learner: NetworkPlayer | None,
    schedule: Schedule,
    opponents: Sequence[Player],
    *,
    game: str,
    seed: int,
    parallel_games: int,
    record: bool = False,
    value_target: str = "outcome",
    memory: LaneMemory | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> PlayedGames:
    """Play all games of a schedule.

    Args:
        learner: who plays the seats of controller 0; None where there are none.
        schedule: the games.
        opponents: the others; controller k is number k - 1. Built-in ones move inside the engine.
        game: name of the game.
        seed: of the deals.
        parallel_games: games played side by side.
        record: keep the learner's positions and policy targets.
        value_target: "outcome" or "endgame", what the positions' outcomes are; see `GameRunner`.
        memory: of the lanes, to be used again; None: of this call's own.
        on_progress: told the games played so far, in part-games, a few times a second, in the calling thread; what it
            raises ends the games.

    Raises:
        AgentTimeoutError: an agent written in Python took longer for a move than its `time_limit`.
    """
    memory = memory or LaneMemory()
    threads = learner.threads if learner else 1
    slots = max(1, min(parallel_games, len(schedule)))
    memories = memory.lanes(game, slots, learner)
    builtin = [(p.name, p.seed) if isinstance(p, BuiltinPlayer) else (None, 0) for p in opponents]
    outside = {k: p for k, p in enumerate(opponents) if not isinstance(p, BuiltinPlayer)}
    # one for each player, who may stand among the opponents twice
    by_player = {id(player): threading.Lock() for player in outside.values()}
    locks = {k: by_player[id(player)] for k, player in outside.items()}
    parts = _share_out(schedule, opponents, len(memories))
    lanes = []
    for leaves, rows in zip(memories, parts, strict=True):
        part = schedule.part(rows)
        runner = GameRunner(
            leaves,
            simulations=learner.simulations if learner else 0,
            settings=learner.settings if learner else None,
            temperature=learner.temperature if learner else 0.0,
            seed=seed,
            learner_seed=learner.seed if learner else 0,
            streams=part.streams,
            first_player=part.first_player,
            controllers=part.controllers,
            opponents=builtin,
            record=record,
            value_target=value_target,
        )
        lanes.append(_Lane(runner, outside, locks))
    started = time.perf_counter()
    try:
        workers = _run(lanes, learner, threads, on_progress)
    except BaseException:
        memory.forget()
        raise
    return _collect(lanes, parts, time.perf_counter() - started, workers)


def _share_out(schedule: Schedule, opponents: Sequence[Player], lanes: int) -> list[NDArray[np.intp]]:
    """Every other game to the other lane, but all games against agents written in Python to the first.

    Such an agent may keep a state of its own, so it must meet its games in one order.
    """
    lane = np.arange(len(schedule)) % lanes
    python = [k + 1 for k, player in enumerate(opponents) if isinstance(player, PythonPlayer)]
    lane[np.isin(schedule.controllers, python).any(axis=1)] = 0
    return [np.flatnonzero(lane == k) for k in range(lanes)]


def _run(
    lanes: Sequence[_Lane], learner: NetworkPlayer | None, threads: int, on_progress: Callable[[float], None] | None
) -> int:
    """Play all lanes to their ends, in a thread each where there are threads for it; returns how many threads."""
    workers = min(len(lanes), threads)
    each = max(1, threads // len(lanes))
    stop = threading.Event()

    def work(mine: Sequence[_Lane]) -> None:
        # one network call a lane at a time, each on its share of the cores
        torch.set_num_threads(each)
        going = [lane.steps(learner, each) for lane in mine]
        try:
            while going and not stop.is_set():
                going = [steps for steps in going if next(steps, stop) is not stop]
        except BaseException:
            stop.set()
            raise

    torch_threads = torch.get_num_threads()
    running = [_Thread(partial(work, lanes[k::workers])) for k in range(workers)]
    check = _agents_watch(lanes)
    try:
        while wait(running, timeout=_PROGRESS_SECONDS).not_done:
            if on_progress is not None:
                on_progress(sum(lane.runner.progress for lane in lanes))
            check()
    finally:
        stop.set()
        _end(running, _agents(lanes))
        torch.set_num_threads(torch_threads)
    for future in running:
        future.result()
    if on_progress is not None:
        on_progress(sum(lane.runner.progress for lane in lanes))
    return workers


class _Thread(Future[None]):
    """What a thread comes to. The thread is a daemon, so that one that never ends cannot keep the process."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self.thread = threading.Thread(target=self._run, args=(work,), name="lane", daemon=True)
        self.thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.set_exception(error)
        else:
            self.set_result(None)


def _end(running: Sequence[_Thread], agents: Sequence[PythonPlayer]) -> None:
    """Wait for the threads' end; interrupt those that do not, and leave behind who cannot be interrupted either."""
    wait(running, _GRACE)
    with interrupted([one.thread for one in running if not one.done()]):
        left = wait(running, _GRACE).not_done
    if left:
        for agent in agents:
            agent.given_up = True
        log.warning("%d thread(s) of self-play could not be stopped; they end with this process.", len(left))


def _agents(lanes: Sequence[_Lane]) -> list[PythonPlayer]:
    """The opponents written in Python, each once."""
    players = {id(player): player for lane in lanes for player in lane.outside.values()}
    return [player for player in players.values() if isinstance(player, PythonPlayer)]


def _agents_watch(lanes: Sequence[_Lane]) -> Callable[[], None]:
    """A function that raises AgentTimeoutError where an agent takes too long, if it is called now and then."""
    watches = [(agent, Watch(agent.time_limit)) for agent in _agents(lanes)]

    def check() -> None:
        for agent, watch in watches:
            state = agent.thinking_at
            move = None if state is None else agent.asked
            if watch.overdue(move) and move is not None:
                raise AgentTimeoutError(
                    f"opponent {agent.name}: select_action has taken more than {agent.time_limit:g} s at '{state}'; "
                    "expected a move, or a larger opponent_pool.agent_time_limit (null for none)"
                )

    return check


def _collect(lanes: Sequence[_Lane], parts: Sequence[NDArray[np.intp]], seconds: float, workers: int) -> PlayedGames:
    """The lanes' results in the schedule's order, positions lane by lane."""
    order = np.argsort(np.concatenate(parts), kind="stable")
    kept = [lane.runner.positions_kept() for lane in lanes]
    spent = [lane.seconds() for lane in lanes]
    return PlayedGames(
        outcomes=np.concatenate([lane.runner.outcomes() for lane in lanes])[order],
        scores=np.concatenate([lane.runner.scores() for lane in lanes])[order],
        states=np.concatenate([part[0] for part in kept]),
        policies=np.concatenate([part[1] for part in kept]),
        position_outcomes=np.concatenate([part[2] for part in kept]),
        position_margins=np.concatenate([lane.runner.margins_kept() for lane in lanes]),
        position_values=np.concatenate([lane.runner.values_kept() for lane in lanes]),
        evaluations=sum(lane.evaluations for lane in lanes),
        simulations=sum(lane.runner.simulations_done for lane in lanes),
        seconds=seconds,
        thread_seconds=workers * seconds,
        spent={name: sum(part[name] for part in spent) for name in ("forward", "tree", "encoding", "opponents")},
    )
