"""Checkpoints as opponents that stay as they are: a network read once, with or without search."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lit_trainer.checkpoints.reader import build_network, read_checkpoint
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.utils.checks import whole_number
from sim_core.tree_search.settings import MAX_SIMULATIONS


@dataclass(frozen=True)
class FrozenCheckpoint:
    """A checkpoint's network, and how it plays."""

    network: PolicyValueNetwork
    """In evaluation mode; nothing learns in it."""
    simulations: int = 0
    """A move; 0 is the policy alone."""
    temperature: float = 0.0
    """Of the visit shares or the policy that its moves are sampled from; 0 plays the best move."""

    def on_cpu(self) -> FrozenCheckpoint:
        """The same with its network on the CPU, for other processes: a copy where it lies elsewhere."""
        if all(parameter.device.type == "cpu" for parameter in self.network.parameters()):
            return self
        return dataclasses.replace(self, network=copy.deepcopy(self.network).cpu())

    def player(self, seed: int, threads: int = 1) -> NetworkPlayer:
        """The player, with search's defaults and without root noise."""
        return NetworkPlayer(
            TorchEvaluator(self.network),
            simulations=self.simulations,
            temperature=self.temperature,
            seed=seed,
            threads=threads,
        )


def make_frozen(name: str, given: Any) -> FrozenCheckpoint:
    """The opponent of that name; its file is read here and never again.

    Args:
        name: the opponent's, for messages.
        given: one that was made already, or ``{path: ..., simulations: ..., temperature: ...}``, the last two optional.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: what is given is of another kind, or the file is no checkpoint.
    """
    if isinstance(given, FrozenCheckpoint):
        return given
    field = f"checkpoints.{name}"
    if (
        not isinstance(given, Mapping)
        or not isinstance(given.get("path"), (str, os.PathLike))
        or not given.keys() <= {"path", "simulations", "temperature"}
    ):
        raise ValueError(f"{field}: {given!r} given, expected {{path: FILE.ckpt, simulations: 0, temperature: 0.0}}")
    simulations, temperature = given.get("simulations", 0), given.get("temperature", 0.0)
    whole_number(f"{field}.simulations", simulations, 0, MAX_SIMULATIONS)
    if (
        isinstance(temperature, bool)
        or not isinstance(temperature, (int, float))
        or not 0 <= temperature < float("inf")
    ):
        raise ValueError(f"{field}.temperature: {temperature!r} given, expected 0 (the best move) or more")
    path = os.fspath(given["path"])
    network = build_network(read_checkpoint(path, field), repr(path), field)
    return FrozenCheckpoint(network, simulations, float(temperature))
