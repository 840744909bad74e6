"""Lets checkpoints play as opponents that never change: each file is read once."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.utils.checks import whole_number
from sim_core.tree_search.settings import MAX_SIMULATIONS


@dataclass(frozen=True)
class FrozenCheckpoint:
    """Makes players of a network that no longer learns."""

    network: PolicyValueNetwork
    """Network in evaluation mode."""
    simulations: int = 0
    """Simulations per move. 0 plays the raw policy."""
    temperature: float = 0.0
    """Temperature at which moves are sampled from the visit shares, or from the policy. 0 plays the best move."""
    name: str = ""
    """Short name under which results are logged."""
    opponent_model: str = "none"
    """Model of the other side that it plays by, see `RunnerSettings`."""
    iteration: int | None = None
    """Iterations that the checkpoint's run had finished. None: unknown."""

    @property
    def games(self) -> tuple[str, ...]:
        """Returns the network's game."""
        return (self.network.game,)

    def on_cpu(self) -> FrozenCheckpoint:
        """Returns the opponent with its network on the CPU, for other processes. A network elsewhere is copied."""
        if all(parameter.device.type == "cpu" for parameter in self.network.parameters()):
            return self
        return dataclasses.replace(self, network=copy.deepcopy(self.network).cpu())

    def player(self, seed: int, threads: int = 1) -> NetworkPlayer:
        """Returns a player that searches with the default settings and without root noise."""
        return NetworkPlayer(
            TorchEvaluator(self.network),
            simulations=self.simulations,
            temperature=self.temperature,
            seed=seed,
            threads=threads,
            opponent_model=self.opponent_model,
        )


def read_frozen(path: str | os.PathLike[str], field: str) -> FrozenCheckpoint:
    """Reads a checkpoint and returns it as an opponent that plays the best move of its raw policy.

    Args:
        path: Path of the checkpoint.
        field: Setting that named the file, for messages.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged or no checkpoint of this library.
    """
    checkpoint = Checkpoint.read(path, field)
    network = checkpoint.network
    try:
        iteration = checkpoint.iteration
    except ValueError:
        iteration = None
    return FrozenCheckpoint(network, name=Path(path).stem, iteration=iteration)


def make_frozen(name: str, given: Any) -> FrozenCheckpoint:
    """Returns the opponent of that name. Its file is read now and never again.

    Args:
        name: Name of the opponent.
        given: Opponent that was made already, or ``{path: ..., simulations: 0, temperature: 0.0}``, of which only the
            path is required.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: What is given is neither of the two, or the file is no checkpoint.
    """
    if isinstance(given, FrozenCheckpoint):
        return dataclasses.replace(given, name=name)
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
    frozen = read_frozen(given["path"], f"{field}.path")
    return dataclasses.replace(frozen, name=name, simulations=simulations, temperature=float(temperature))
