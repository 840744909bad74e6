"""Generates games asynchronously: workers play while the trainer learns, never more than an iteration ahead."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.players.roster import pickled
from lit_trainer.self_play.games import GeneratedGames, join_games
from lit_trainer.self_play.settings import GenerationSettings, WorkerSettings
from lit_trainer.self_play.stats import SelfPlayStats
from lit_trainer.self_play.workers.messages import Abandoned, Order, WorkerSetup, pickled_network
from lit_trainer.self_play.workers.pool import WorkerPool
from lit_trainer.self_play.workers.shared_state import SharedState

_POLL = 0.2
"""Seconds between two calls of `on_progress` while games are awaited."""


class AsynchronousGenerator:
    """Generates games in worker processes, which play one iteration's while the trainer learns from the one before.

    An iteration's games are cut into chunks. Each chunk is played with the weights that were newest when it began, and
    with the settings that were newest when it was ordered. No more chunks are ordered than an iteration takes, so
    workers wait where the trainer is behind. A chunk that is older than `max_staleness` iterations is abandoned or
    dropped.

    Args:
        settings: Returns the settings of the games. It is asked in every iteration, since schedules change them. Each
            worker plays up to ``parallel_games`` games side by side.
        network: The learner's network, on the device on which it learns.
        pool: Chooses the opponents.
        workers: Settings of the workers.
        temperature: Returns the temperature of the learner's visit shares. It is asked in every iteration.
        seed: The run's random seed.
        rank: Rank of this process in the run. Each rank plays other games.
        on_progress: Is told the games that have arrived, about five times per second. What it raises ends the wait.
            None: Nobody is told.

    Raises:
        ValueError: An opponent or the network cannot be sent to another process.
    """

    def __init__(
        self,
        settings: Callable[[], GenerationSettings],
        network: PolicyValueNetwork,
        pool: OpponentPool,
        workers: WorkerSettings,
        *,
        temperature: Callable[[], float],
        seed: int,
        rank: int = 0,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        self._settings = settings
        self._newest = settings()
        self._network = network
        self._opponents = pool
        self._workers = workers
        self._temperature = temperature
        self._seed = seed
        self._rank = rank
        self._on_progress = on_progress
        self._sent_network = pickled_network(network)
        self._sent_opponents = pickled({name: pool.roster[name] for name in pool.opponents})
        self._pool: WorkerPool | None = None
        self._shared: SharedState | None = None
        self._owed: list[Mapping[str, float]] = []
        """Games that each worker owes each opponent, as its newest chunk says."""
        self._under_way: list[int] = []
        """Number of chunks that each worker has still to play."""
        self._ended = 0.0

    @property
    def pids(self) -> list[int]:
        """Returns the workers' process ids, in the order of their numbers. There are none before the start."""
        return [] if self._pool is None else self._pool.pids

    @property
    def _chunks(self) -> int:
        games = self._newest.games
        return -(-games // min(self._newest.parallel_games, -(-games // self._workers.count)))

    @property
    def _ahead(self) -> int:
        return -(-self._chunks // self._workers.count)

    @property
    def chunk_games(self) -> int:
        """Returns the number of games of a chunk."""
        return -(-self._newest.games // self._chunks)

    @property
    def games_ahead(self) -> int:
        """Returns how many games may be on their way at any time. They are lost where the run ends."""
        return self._workers.count * self._ahead * self.chunk_games

    def start(self, iteration: int) -> None:
        """Starts the workers, unless they run. `generate` does so, too.

        Args:
            iteration: The first iteration that will be asked for. Workers started at another one play other games.
        """
        if self._pool is not None:
            return
        self._ended = time.perf_counter()
        self._shared = shared = SharedState(self._network, self._opponents.max_past)
        owed = {name: due / self._workers.count for name, due in self._opponents.apportionment.owed.items()}
        self._owed = [owed] * self._workers.count
        device = self._workers.device_for(next(self._network.parameters()).device)
        setups = [
            WorkerSetup(
                worker=worker,
                network=self._sent_network,
                opponents=self._sent_opponents,
                seed=self._seed,
                rank=self._rank,
                start_iteration=iteration,
                max_staleness=self._workers.max_staleness,
                device=device,
                max_past=self._opponents.max_past,
                shared_fd=shared.fd,
                trainer_pid=os.getpid(),
                owed=owed,
            )
            for worker in range(self._workers.count)
        ]
        self._pool = WorkerPool(setups, shared.close, self._workers.timeout)
        self._under_way = [0] * self._workers.count

    def generate(self, iteration: int) -> GeneratedGames:
        """Publishes the weights of an iteration and returns its games, at least as many as the settings say.

        Args:
            iteration: Number of the iteration, which is the version of the weights.

        Raises:
            WorkerError: A worker died, raised, or has given no sign of life for too long.
        """
        self.start(iteration)
        assert self._shared is not None
        self._newest = self._settings()
        pool = self._opponents
        self._shared.publish(iteration, self._network, self._temperature(), pool.shares(), pool.past)
        # not before there are weights to play with
        for worker in range(self._workers.count):
            self._order(worker)
        return self._gather(iteration)

    def _order(self, worker: int) -> None:
        assert self._pool is not None
        while self._under_way[worker] < self._ahead:
            self._pool.order(worker, Order(self._newest, self.chunk_games))
            self._under_way[worker] += 1

    def _gather(self, iteration: int) -> GeneratedGames:
        assert self._pool is not None
        waited_from = time.perf_counter()
        parts: list[GeneratedGames] = []
        arrived = dropped = staleness_sum = 0
        while arrived < self._newest.games:
            self._report(arrived)
            if (message := self._pool.receive(_POLL)) is None:
                continue
            worker, played = message
            self._under_way[worker] -= 1
            self._order(worker)
            if isinstance(played, Abandoned):
                dropped += played.games
                continue
            self._owed[worker] = played.owed
            if (behind := iteration - played.version) > self._workers.max_staleness:
                dropped += played.games.stats.games
            else:
                parts.append(played.games)
                staleness_sum += behind * len(played.games.outcomes)
                arrived += played.games.stats.games
        now = time.perf_counter()
        names = sorted({name for owed in self._owed for name in owed})
        self._opponents.apportionment.owed = {name: sum(owed.get(name, 0.0) for owed in self._owed) for name in names}
        games = join_games(parts)
        games.stats += SelfPlayStats(
            staleness_sum=staleness_sum,
            dropped_games=dropped,
            waited_seconds=now - waited_from,
            elapsed_seconds=now - self._ended,
        )
        self._ended = now
        self._report(arrived)
        return games

    def _report(self, games: float) -> None:
        if self._on_progress is not None:
            self._on_progress(games)

    def check(self) -> None:
        """Raises WorkerError if a worker died or raised. Returns at once."""
        if self._pool is not None:
            self._pool.check()

    def close(self) -> None:
        """Ends the workers and frees what is shared with them. `generate` may be called again and starts new ones."""
        if self._pool is not None:
            self._pool.close()
            self._pool = self._shared = None
