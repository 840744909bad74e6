"""Checks of a data module's settings, before anything is played."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lit_trainer.networks.evaluators import EVALUATORS
from lit_trainer.players.adaptive_pool import AdaptiveOpponentPool
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.players.roster import pickled
from lit_trainer.utils.checks import time_limit, whole_number
from sim_core.tree_search.settings import MAX_SIMULATIONS

_RANGES = {
    "games_per_iteration": (1, 10_000_000),
    "steps_per_iteration": (1, 1_000_000_000),
    "batch_size": (1, 10_000_000),
    "replay_positions": (1, 1_000_000_000),
    "simulations": (0, MAX_SIMULATIONS),
    "parallel_games": (1, 1_000_000),
    "threads": (1, 1024),
    "evaluation_games": (2, 10_000_000),
    "evaluation_simulations": (0, MAX_SIMULATIONS),
    "test_games": (2, 10_000_000),
    "workers": (1, 1024),
    "max_staleness": (1, 1_000_000_000),
}
"""The least and the most of each whole number: the most is far above what any machine is up to."""


def check_settings(given: Mapping[str, Any]) -> None:
    """Raise ValueError where an argument of `SelfPlayDataModule` is out of range.

    Args:
        given: its arguments, all of them.
    """
    for name, (lowest, highest) in _RANGES.items():
        whole_number(name, given[name], lowest, highest)
    for name in ("evaluation_games", "test_games"):
        if given[name] % 2:
            raise ValueError(f"{name}: {given[name]} given, expected an even number (two seats a deal)")
    time_limit("worker_timeout", given["worker_timeout"])
    _check_test_simulations(given["test_simulations"])
    if not 0.0 <= given["temperature"] < float("inf"):
        raise ValueError(f"temperature: {given['temperature']!r} given, expected 0 or more")
    if (target := given["value_target"]) not in ("outcome", "endgame"):
        raise ValueError(f"value_target: {target!r} given, expected outcome or endgame")
    if (evaluator := given["evaluator"]) not in EVALUATORS:
        raise ValueError(f"evaluator: {evaluator!r} given, expected one of {', '.join(EVALUATORS)}")
    _check_device(given["worker_device"])


def _check_test_simulations(numbers: Sequence[int]) -> None:
    for number in numbers:
        whole_number("test_simulations", number, 0, MAX_SIMULATIONS)
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"test_simulations: {list(numbers)} given, expected at least one, none twice")


def _check_device(worker_device: str) -> None:
    if worker_device == "auto":
        return
    try:
        torch.device(worker_device)
    except (RuntimeError, TypeError):
        raise ValueError(f"worker_device: {worker_device!r} given, expected auto, cpu, cuda or cuda:N") from None


def check_weighed(pool: OpponentPool, evaluation: Sequence[str]) -> None:
    """Raises ValueError if an adaptive pool cannot weigh by the evaluations, because an opponent is not in it."""
    for name in evaluation:
        if isinstance(pool, AdaptiveOpponentPool) and name not in pool.opponents:
            raise ValueError(
                f"evaluation_opponents: {name!r} is not in the adaptive pool, which weighs by these evaluations; "
                f"its opponents are {', '.join(pool.opponents)}"
            )


def check_asynchronous(pool: OpponentPool) -> None:
    """Raise ValueError where workers cannot run here, or cannot get the pool's agents."""
    if os.name != "posix":
        raise ValueError("asynchronous: true given, expected false: worker processes need a POSIX system")
    pickled({name: pool.roster[name] for name in pool.opponents})
