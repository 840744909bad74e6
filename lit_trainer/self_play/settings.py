"""Settings of generation."""

from __future__ import annotations

from dataclasses import dataclass

from sim_core import SearchSettings


@dataclass(frozen=True)
class GenerationSettings:
    """How games are generated, as far as it stays the same for a whole run; `SelfPlayDataModule` explains each."""

    game: str
    simulations: int
    search: SearchSettings
    evaluator: str
    parallel_games: int
    threads: int
    value_target: str = "outcome"
