"""Runs in a worker process: plays what the trainer orders, with the newest weights."""

from __future__ import annotations

import copy
import faulthandler
import os
import pickle
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import torch

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.players.apportionment import Apportionment
from lit_trainer.players.frozen import FrozenCheckpoint
from lit_trainer.players.opponent_pool import past_opponent
from lit_trainer.players.protocols import Opponent
from lit_trainer.players.specs import past_name
from lit_trainer.self_play.generator import play_games
from lit_trainer.self_play.lanes import LaneMemory
from lit_trainer.self_play.workers.messages import ALIVE, Abandoned, Chunk, Failed, Order, WorkerSetup
from lit_trainer.self_play.workers.shared_state import SharedState


class Line:
    """Sends a worker's messages to its trainer. Two of its threads may use it.

    Args:
        connection: The connection to the trainer.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._lock = threading.Lock()

    def send(self, message: Any) -> None:
        """Sends a message.

        Raises:
            OSError: The trainer has closed the connection.
        """
        with self._lock:
            self.connection.send(message)


class _TooOldError(Exception):
    """Ends a chunk whose weights have become too old."""


class _ChunkPlayer:
    """Plays one chunk of games after another."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        network_class, config = pickle.loads(setup.network)  # noqa: S301 (sent by the trainer, over its own socket)
        self.network: PolicyValueNetwork = network_class(**config).requires_grad_(False).eval()
        self.shared = SharedState(self.network, setup.max_past, setup.shared_fd)
        self.network.to(torch.device(setup.device))
        self.opponents = {name: self._opponent(name, pickled) for name, pickled in setup.opponents.items()}
        self.past: dict[int, PolicyValueNetwork] = {}
        self.apportionment = Apportionment(setup.owed)
        self.memory = LaneMemory()
        self.chunks = 0

    def _opponent(self, name: str, pickled: bytes) -> Opponent:
        try:
            opponent: Opponent = pickle.loads(pickled)  # noqa: S301
        except Exception as error:
            raise ValueError(f"opponents: {name} cannot be made in a worker process: {error!r}") from error
        if isinstance(opponent, FrozenCheckpoint):
            opponent.network.to(torch.device(self.setup.device))
        return opponent

    def play(self, order: Order) -> Chunk | Abandoned:
        """Plays a chunk with the newest weights, against opponents in their newest shares.

        Args:
            order: Number of the games, and their settings.
        """
        torch.set_num_threads(order.settings.threads)
        newest = self.shared.read(self.network, self.past)
        for iteration in set(self.past) - newest.past:
            del self.past[iteration]
        for iteration, weights in newest.new_past.items():
            self.past[iteration] = copy.deepcopy(self.network)
            self.past[iteration].load_state_dict(weights)
        past = {past_name(k): past_opponent(network, newest.temperature) for k, network in self.past.items()}
        setup, chunk, owed = self.setup, self.chunks, self.apportionment.owed
        self.chunks += 1

        def check(_: float) -> None:
            if self.shared.version - newest.version > setup.max_staleness:
                raise _TooOldError

        try:
            played = play_games(
                order.settings,
                self.network,
                self.apportionment.next(order.games, newest.shares),
                temperature=newest.temperature,
                seed=setup.chunk_seed(chunk),
                opponents=self.opponents | past,
                player=setup.player,
                memory=self.memory,
                on_progress=check,
            )
        except _TooOldError:
            self.apportionment.owed = owed
            return Abandoned(newest.version, order.games)
        return Chunk(newest.version, played, self.apportionment.owed)


def _listen(line: Line, orders: SimpleQueue[Order], trainer_pid: int) -> None:
    """Takes orders and gives a sign of life every second, until the trainer hangs up or is gone.

    Then it ends this process at once, whatever the other thread does.
    """
    try:
        # a process that the trainer forked may hold the connection open after the trainer's end, so ask for its id
        while os.getppid() == trainer_pid:
            line.send(ALIVE)
            if line.connection.poll(1.0):
                orders.put(line.connection.recv())
    except (EOFError, OSError):
        pass
    os._exit(0)


def main(connection: Connection) -> None:
    """Runs a worker process from its start to its end.

    Args:
        connection: The connection to the trainer.
    """
    faulthandler.enable()
    try:
        setup: WorkerSetup = connection.recv()
    except (EOFError, OSError):
        os._exit(0)
    orders: SimpleQueue[Order] = SimpleQueue()
    line = Line(connection)
    threading.Thread(target=_listen, args=(line, orders, setup.trainer_pid), daemon=True).start()
    message: Any
    try:
        player = _ChunkPlayer(setup)
        while True:
            message = player.play(orders.get())
            line.send(message)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)
    except BaseException:  # an agent may call exit()
        message = Failed(traceback.format_exc())
        try:
            line.send(message)
        except OSError:
            print(message.traceback, file=sys.stderr, flush=True)
        os._exit(1)
