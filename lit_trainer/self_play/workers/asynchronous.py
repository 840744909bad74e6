"""Asynchronous generation: workers play while the trainer learns, never more than an iteration ahead."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable

import torch

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.players.roster import pickled
from lit_trainer.self_play.games import GeneratedGames, join_games
from lit_trainer.self_play.settings import GenerationSettings
from lit_trainer.self_play.workers.messages import Abandoned, WorkerSetup
from lit_trainer.self_play.workers.pool import WorkerPool
from lit_trainer.self_play.workers.shared_state import SharedState

_POLL = 0.2
"""Seconds between looks at whether the run shall end, while games are waited for."""


def worker_device(wanted: str, trainer_device: torch.device) -> str:
    """Where workers evaluate the network; "auto" is the trainer's GPU, else the CPU."""
    if wanted != "auto":
        return wanted
    return str(trainer_device) if trainer_device.type == "cuda" and torch.cuda.is_available() else "cpu"


def _pickled_network(network: PolicyValueNetwork) -> bytes:
    try:
        if type(network).__module__ == "__main__":
            raise TypeError("worker processes cannot import the script that was started; move the class into a module")
        return pickle.dumps((type(network), network.config))
    except Exception as error:  # whatever pickling its arguments raises
        raise ValueError(
            f"network: {type(network).__module__}.{type(network).__qualname__} cannot be made in worker processes: "
            f"{error}"
        ) from error


class AsynchronousGenerator:
    """Games for one iteration after another, played by workers meanwhile.

    An iteration's games are cut into chunks, each played with the weights that were newest when it began. There are
    never more chunks ordered than an iteration takes, so workers wait where the trainer is behind. A chunk that is
    older than `max_staleness` iterations is given up or dropped.

    Args:
        network: the learner.
        pool: whom it plays.
        settings: of generation; each worker plays up to ``settings.parallel_games`` games side by side.
        games_per_iteration: games an iteration takes at least.
        workers: processes.
        device: where they evaluate the network.
        max_staleness: iterations that weights may be behind when their games are taken.
        seed: the run's.
        rank: of this process.
        start_iteration: the first that will be asked for.
        timeout: seconds without a sign of life of a worker while games are waited for; None: for ever.

    Raises:
        ValueError: an agent or the network cannot be sent to another process.
    """

    def __init__(
        self,
        network: PolicyValueNetwork,
        pool: OpponentPool,
        settings: GenerationSettings,
        *,
        games_per_iteration: int,
        workers: int,
        device: str,
        max_staleness: int,
        seed: int,
        rank: int,
        start_iteration: int,
        timeout: float | None = None,
    ) -> None:
        opponents = pickled({name: pool.roster[name] for name in pool.opponents})
        pickled_network = _pickled_network(network)
        self.games_per_iteration = games_per_iteration
        self.max_staleness = max_staleness
        largest = min(settings.parallel_games, -(-games_per_iteration // workers))
        chunks = -(-games_per_iteration // largest)
        self.chunk_games = -(-games_per_iteration // chunks)
        self._ahead = -(-chunks // workers)
        self._workers = workers
        self._ended = time.perf_counter()
        self._shared = SharedState(network, pool.max_past)
        setups = [
            WorkerSetup(
                worker=worker,
                settings=settings,
                network=pickled_network,
                opponents=opponents,
                seed=seed,
                rank=rank,
                start_iteration=start_iteration,
                max_staleness=max_staleness,
                device=device,
                max_past=pool.max_past,
                shared_fd=self._shared.fd,
                trainer_pid=os.getpid(),
            )
            for worker in range(workers)
        ]
        self._pool = WorkerPool(setups, self._shared.close, timeout)
        self._started = False

    @property
    def pids(self) -> list[int]:
        """Process ids, by worker."""
        return self._pool.pids

    @property
    def games_ahead(self) -> int:
        """Games that may be on their way at any time, and are lost where the run ends."""
        return self._workers * self._ahead * self.chunk_games

    def collect(
        self,
        iteration: int,
        network: PolicyValueNetwork,
        pool: OpponentPool,
        temperature: float,
        on_wait: Callable[[float], None] = lambda games: None,
    ) -> GeneratedGames:
        """Publish an iteration's weights and return its games, at least `games_per_iteration`.

        Args:
            iteration: the current one, which is the version of the weights.
            network: the learner.
            pool: whom it plays now.
            temperature: of self-play now.
            on_wait: told the games that have arrived, about five times a second; what it raises ends the wait.

        Raises:
            WorkerError: a worker died, raised, or has given no sign of life for too long.
        """
        plan = pool.plan(self.games_per_iteration)
        self._shared.publish(iteration, network, temperature, plan, pool.past)
        if not self._started:
            self._started = True
            for worker in range(self._workers):
                for _ in range(self._ahead):
                    self._order(worker)
        return self._gather(iteration, on_wait)

    def _order(self, worker: int) -> None:
        self._pool.order(worker, self.chunk_games)

    def _gather(self, iteration: int, on_wait: Callable[[float], None]) -> GeneratedGames:
        waited_from = time.perf_counter()
        parts: list[GeneratedGames] = []
        arrived = dropped = behind_sum = positions = 0
        while arrived < self.games_per_iteration:
            on_wait(arrived)
            if (message := self._pool.receive(_POLL)) is None:
                continue
            worker, played = message
            self._order(worker)
            if isinstance(played, Abandoned):
                dropped += played.games
            elif (behind := iteration - played.version) > self.max_staleness:
                dropped += self.chunk_games
            else:
                parts.append(played.games)
                positions += len(played.games.outcomes)
                behind_sum += behind * len(played.games.outcomes)
                arrived += self.chunk_games
        now = time.perf_counter()
        games = join_games(parts, self._workers)
        games.stats |= {
            "staleness": behind_sum / max(positions, 1),
            "wait_share": (now - waited_from) / max(now - self._ended, 1e-9),
            "dropped_games": float(dropped),
        }
        self._ended = now
        on_wait(arrived)
        return games

    def check(self) -> None:
        """Raise WorkerError if a worker died or raised; wait for nothing."""
        self._pool.check()

    def close(self) -> None:
        """End the workers and free what is shared with them."""
        self._pool.close()
