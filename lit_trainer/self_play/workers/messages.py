"""What the trainer and its worker processes send each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lit_trainer.self_play.games import GeneratedGames
from lit_trainer.self_play.settings import GenerationSettings
from lit_trainer.utils.seeding import derive_seed

ALIVE = None
"""What a worker sends as a sign of life."""


@dataclass(frozen=True)
class WorkerSetup:
    """All that a worker is told when it starts."""

    worker: int
    """Its number among the workers of its trainer."""
    settings: GenerationSettings
    network: bytes
    """Pickled class and `config` of the network."""
    opponents: Mapping[str, bytes]
    """Opponents of the pool, pickled one by one."""
    seed: int
    """The run's."""
    rank: int
    """The trainer's."""
    start_iteration: int
    """At which the workers were started."""
    max_staleness: int
    device: str
    max_past: int
    shared_fd: int
    trainer_pid: int

    def chunk_seed(self, chunk: int) -> int:
        """No two chunks of a run share deals, also not where it was resumed."""
        return derive_seed(self.seed, "worker", self.start_iteration, self.rank, self.worker, chunk)


@dataclass(frozen=True)
class Chunk:
    """Games played with the weights of one version."""

    version: int
    games: GeneratedGames


@dataclass(frozen=True)
class Abandoned:
    """Games given up on their way, since by their end they would be too old to learn from."""

    version: int
    games: int


@dataclass(frozen=True)
class Failed:
    """The traceback of what a worker raised; it ends after it."""

    traceback: str
