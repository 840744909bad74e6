"""Runs lanes, each in its own thread where there are threads for it, and ends them whatever happens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial

import torch

from lit_trainer.networks.evaluators import Evaluator
from lit_trainer.players.protocols import Ids, Moves, Player, moves_after
from lit_trainer.players.python_player import AgentTimeoutError, PythonPlayer
from lit_trainer.utils.terminal import interrupted_later
from lit_trainer.utils.watch import Watch, interrupted
from sim_core import GameRunner

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 0.1
_OUTSIDE_STEPS = 8
"""Network calls between two looks at opponents outside the engine."""
_GRACE = 2.0
"""Seconds that a lane has to end by itself, and as many again once it was interrupted."""


class Lane:
    """Plays one runner's games, together with the opponents outside the engine.

    Args:
        runner: Plays the games.
        outside: Number of an opponent outside the engine to the player.
        locks: Number of such an opponent to the lock under which its player is asked, in whatever lane.
        asks_agents: Whether its searches ask agents written in Python.
    """

    def __init__(
        self,
        runner: GameRunner,
        outside: Mapping[int, Player],
        locks: Mapping[int, threading.Lock],
        asks_agents: bool = False,
    ) -> None:
        self.runner = runner
        self.outside = outside
        self.evaluations = 0
        """Positions that the network evaluated so far."""
        self._locks = locks
        self._asks_agents = asks_agents
        self._outside_seconds = 0.0

    def steps(self, evaluator: Evaluator | None, threads: int) -> Iterator[None]:
        """Plays all games to their ends, and pauses after each network call.

        Args:
            evaluator: The learner's network. None: No learner plays.
            threads: CPU threads for the trees.
        """
        step = 0
        # only the lane's own thread can be interrupted, and agents answer one question after the other anyway
        searching = 1 if self._asks_agents else threads
        while True:
            rows = self.runner.advance(searching)
            moved = False
            if self.outside and (rows < self.runner.leaves.slots // 2 or step % _OUTSIDE_STEPS == 0):
                moved = self._ask_outside(all_of_them=rows == 0)
            if rows:
                assert evaluator is not None
                self.runner.leaves.evaluate(evaluator, rows, threads)
                self.evaluations += rows
            elif not moved and self.runner.is_done:
                return
            step += 1
            yield

    def _ask_outside(self, all_of_them: bool) -> bool:
        """Lets opponents outside the engine move, each in one call once half of its games wait for it."""
        moved = False
        for number, player in self.outside.items():
            slots, games = self.runner.outside(number)
            if len(slots) and (all_of_them or 2 * len(slots) >= games):
                start = time.perf_counter()
                with self._locks[number]:
                    actions = self._moves(player, slots).actions
                self.runner.play(slots, actions)
                self._outside_seconds += time.perf_counter() - start
                moved = True
        return moved

    def _moves(self, player: Player, slots: Ids) -> Moves:
        positions = self.runner.positions(slots)
        return moves_after(player, positions, lambda: self.runner.histories(slots))

    def seconds(self) -> dict[str, float]:
        """Returns part of the work to the thread seconds that it took: forward, tree, encoding, opponents."""
        parts = self.runner.seconds
        return parts | {"opponents": parts["opponents"] + self._outside_seconds}


def run_lanes(
    lanes: Sequence[Lane],
    evaluator: Evaluator | None,
    threads: int,
    on_progress: Callable[[float], None] | None = None,
) -> int:
    """Plays all lanes to their ends, and returns how many threads did so.

    An error in any lane, or in `on_progress`, ends all of them and is raised.

    Args:
        lanes: The lanes. With fewer threads than lanes, a thread plays several in turn.
        evaluator: The learner's network, which may be called by several threads at once. None: No learner plays.
        threads: CPU threads in all.
        on_progress: Is told the games played so far, in part-games, about ten times per second, in the calling thread.

    Raises:
        AgentTimeoutError: An agent written in Python takes longer for a move than its `time_limit`.
    """
    workers = min(len(lanes), threads)
    each = max(1, threads // len(lanes))
    stop = threading.Event()

    def work(mine: Sequence[Lane]) -> None:
        # one network call of a lane at a time, each on its share of the cores
        torch.set_num_threads(each)
        going = [lane.steps(evaluator, each) for lane in mine]
        try:
            while going and not stop.is_set():
                going = [steps for steps in going if next(steps, stop) is not stop]
        except BaseException:
            stop.set()
            raise

    torch_threads = torch.get_num_threads()
    running = [_LaneThread(partial(work, lanes[k::workers])) for k in range(workers)]
    check = _agents_watch(lanes)
    try:
        while wait(running, timeout=_PROGRESS_SECONDS).not_done:
            if on_progress is not None:
                on_progress(sum(lane.runner.progress for lane in lanes))
            check()
    finally:
        # a second Ctrl-C would leave threads in torch's code, which abort the process when the interpreter ends
        with interrupted_later():
            stop.set()
            _end(running, _agents(lanes))
        torch.set_num_threads(torch_threads)
    for future in running:
        future.result()
    if on_progress is not None:
        on_progress(sum(lane.runner.progress for lane in lanes))
    return workers


class _LaneThread(Future[None]):
    """Runs a function in a thread and keeps its result.

    The thread is a daemon, so that a thread that never ends cannot keep the process alive.
    """

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


def _end(running: Sequence[_LaneThread], agents: Sequence[PythonPlayer]) -> None:
    """Waits for the threads' end, interrupts those that go on, and abandons those that cannot be interrupted."""
    wait(running, _GRACE)
    with interrupted([one.thread for one in running if not one.done()]):
        left = wait(running, _GRACE).not_done
    if left:
        for agent in agents:
            agent.given_up = True
        log.warning("%d thread(s) of self-play could not be stopped; they end with this process.", len(left))


def _agents(lanes: Sequence[Lane]) -> list[PythonPlayer]:
    """Returns the opponents written in Python, each once."""
    players = {id(player): player for lane in lanes for player in lane.outside.values()}
    return [player for player in players.values() if isinstance(player, PythonPlayer)]


def _agents_watch(lanes: Sequence[Lane]) -> Callable[[], None]:
    """Returns a function that raises AgentTimeoutError once an agent takes too long, if it is called now and then."""
    watches = [(agent, Watch(agent.time_limit)) for agent in _agents(lanes)]

    def check() -> None:
        for agent, watch in watches:
            state = agent.thinking_at
            move = None if state is None else agent.asked
            if watch.overdue(move) and move is not None:
                raise AgentTimeoutError(
                    f"opponent {agent.name}: {agent.asked_for} has taken more than {agent.time_limit:g} s at "
                    f"'{state}'; expected an answer, or a larger opponent_pool.agent_time_limit (null for none)"
                )

    return check
