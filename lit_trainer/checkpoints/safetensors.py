"""Writes and reads networks as safetensors files: the weights, and metadata that says which network they belong to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from lit_trainer.checkpoints.description import ENTRY, Description
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.networks.base import PolicyValueNetwork
from sim_core import get_game

NEEDS = "safetensors files need: pip install 'lit-alphazero[safetensors]'"


def metadata_of(network: PolicyValueNetwork, iteration: int) -> dict[str, str]:
    """Returns the metadata of an exported file. The network can be built again from it.

    Args:
        network: A network of any class.
        iteration: Number of iterations that its run had finished.
    """
    said, rules = Description.of(network), get_game(network.game)
    return {
        "library": "lit-alphazero",
        "format": str(said.format),
        "game": network.game,
        "rules_version": str(said.rules_version),
        "observation_version": str(said.observation_version),
        "network": said.class_path,
        "arguments": json.dumps(dict(said.init_args)),
        "iteration": str(iteration),
        "actions": " ".join(rules.actions),
    }


def weights_as_safetensors(network: PolicyValueNetwork, metadata: Mapping[str, str]) -> bytes:
    """Returns a file's bytes: all weights by the names of the network's `state_dict`, in their own precision.

    Args:
        network: A network of any class, on any device.
        metadata: Kept in the file, see `metadata_of`.

    Raises:
        ModuleNotFoundError: The package of the extra ``safetensors`` is missing.
    """
    try:
        from safetensors.torch import save
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}; {NEEDS}") from None
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return bytes(save(weights, dict(metadata)))


def load_network(path: str | os.PathLike[str]) -> PolicyValueNetwork:
    """Returns the network in a safetensors file or a checkpoint, on the CPU and in evaluation mode.

    Args:
        path: Path of a file of `lit-trainer export`, or of a run's checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or of another library, or its rules or observation are not this version's.
        ModuleNotFoundError: The file is no checkpoint, and the package of the extra ``safetensors`` is missing.
    """
    name = os.fspath(path)
    if not Path(path).is_file():
        raise FileNotFoundError(f"path: there is no file {name!r}")
    if is_zipfile(path) or name.endswith(".ckpt"):
        return Checkpoint.read(path, "path").network
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}; {NEEDS}") from None
    try:
        with safe_open(name, framework="pt") as file:
            said: Mapping[str, str] = file.metadata() or {}
            weights = {f"network.{key}": file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  no mapping
    except SafetensorError as error:
        raise ValueError(f"path: {name!r} is no safetensors file, or damaged ({error})") from None
    return Checkpoint({"state_dict": weights, ENTRY: _description(said, name)}, repr(name), "path").network


def _description(said: Mapping[str, str], name: str) -> dict[str, Any]:
    """Returns the metadata in the form that a checkpoint keeps it."""
    try:
        return {
            **{field: int(said[field]) for field in ("format", "rules_version", "observation_version")},
            "network": {"class_path": said["network"], "init_args": json.loads(said["arguments"])},
        }
    except (KeyError, ValueError):
        raise ValueError(f"path: {name!r} was not written by lit-alphazero: its metadata does not say so") from None
