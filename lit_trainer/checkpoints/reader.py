"""Reads checkpoints safely, and names what does not fit in files that it refuses.

It imports no Lightning, so that playing needs none.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch

from lit_trainer.checkpoints.description import ENTRY, Description
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.condition import with_condition_layer
from sim_core import games

DATA = "SelfPlayDataModule"
"""The key under which Lightning saves the state of the data module of that name."""
_OF_A_RUN = ("loops", "callbacks", "optimizer_states", "lr_schedulers", "pytorch-lightning_version")
_PREFIX = "network."
_HEADS = "auxiliary_heads."


def load_file(
    path: str | os.PathLike[str], field: str = "ckpt_path", map_location: Any = "cpu", mmap: bool = False
) -> Any:
    """Returns a file's tensors and plain values. Code in the file is never run (``weights_only``).

    Args:
        path: Path of the file.
        field: Setting that named the file, for messages. Default: ``ckpt_path``.
        map_location: Device for the tensors, see `torch.load`. Default: the CPU.
        mmap: Whether tensors stay on the disk until they are used, if the file's format allows it. Default: no.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is truncated or damaged, or holds code.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{field}: there is no file {os.fspath(path)!r}")
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _check_sums(path)
        return torch.load(path, map_location=map_location, weights_only=True, mmap=mmap and zipped)
    except Exception as error:  # damaged bytes lead the unpickler to an IndexError, a struct.error, ...
        reason = str(error).strip().split("\n")[0][:160] or type(error).__name__
        raise ValueError(f"{field}: {os.fspath(path)!r} is truncated, damaged or no checkpoint ({reason})") from None


def _check_sums(path: str | os.PathLike[str]) -> None:
    # torch does not compare the checksums; its older format has none
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"checksum of {damaged} does not fit")


def windows_in(state: Mapping[str, Any]) -> list[Any]:
    """Returns the replay windows in the data module's state, one per process of the run, the first process's first.

    Raises:
        ValueError: The windows of the other processes are not stored by number.
    """
    if "replay" not in state:
        return []
    others = state.get("replay_of_rank", {})
    if not isinstance(others, Mapping):
        raise ValueError(f"replay_of_rank: {type(others).__name__} found, expected windows by process")
    if wrong := [rank for rank in others if not isinstance(rank, int)]:
        raise ValueError(f"replay_of_rank: {wrong[0]!r} found, expected numbers of processes")
    return [state["replay"], *(others[rank] for rank in sorted(others))]


@dataclass(frozen=True)
class Checkpoint:
    """Keeps what a checkpoint holds, and checks each part when it is asked for."""

    contents: dict[str, Any]
    """Everything in the file, as `torch.load` returns it."""
    name: str = "checkpoint"
    """How messages name the file."""
    field: str = "ckpt_path"
    """Setting that named the file, for messages."""

    @classmethod
    def read(cls, path: str | os.PathLike[str], field: str = "ckpt_path") -> Self:
        """Returns the checkpoint in a file. Code in the file is never run.

        Args:
            path: Path of the file.
            field: Setting that named the file, for messages. Default: ``ckpt_path``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is truncated, damaged or not a checkpoint.
        """
        contents, name = load_file(path, field, mmap=True), repr(os.fspath(path))
        if not isinstance(contents, dict) or "state_dict" not in contents:
            raise ValueError(f"{field}: {name} is no Lightning checkpoint: it has no 'state_dict'")
        return cls(contents, name, field)

    @property
    def _file(self) -> str:
        return f"{self.field}: {self.name}"

    # -- the network -----------------------------------------------------------------------------------------------

    @property
    def description(self) -> Description:
        """Returns what the file says of its network and game.

        Raises:
            ValueError: The file was written by another library, by a newer version, or is damaged.
        """
        return Description.parse(self.contents.get(ENTRY), self._file)

    @property
    def weights(self) -> dict[str, Any]:
        """Returns the network's weights by the names of its ``state_dict``."""
        saved = self.contents["state_dict"]
        return {key[len(_PREFIX) :]: value for key, value in saved.items() if key.startswith(_PREFIX)}

    @cached_property
    def network(self) -> PolicyValueNetwork:
        """Returns the network with its weights, on the CPU and in evaluation mode. It is built once.

        Raises:
            ValueError: See `new_network`.
        """
        return self.new_network().eval().requires_grad_(False)

    def new_network(self) -> PolicyValueNetwork:
        """Returns the network with its weights, on the CPU and ready to learn. It is built anew at every call.

        Raises:
            ValueError: The network's class or its game is unknown, or its class, arguments or weights do not fit.
        """
        description = self.description
        network_class = description.network_class()
        if network_class is None:
            module = description.class_path.rpartition(".")[0]
            raise ValueError(
                f"{self._file} holds a {description.class_path}, which is not known; import its module first (on the "
                f"command line: --import {module})"
            )
        game = description.init_args.get("game")
        if isinstance(game, str) and game not in games():
            raise ValueError(
                f"{self._file} is of the game {game!r}, which is not registered; import its package first (on the "
                "command line: --import PACKAGE)"
            )
        try:
            network = network_class(**description.init_args)
            network.load_state_dict(self.weights)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{self._file} is damaged: its network cannot be built ({error})") from None
        self.check_fits(network)
        return network

    def check_fits(self, network: PolicyValueNetwork, heads_may_differ: bool = False) -> None:
        """Refuses a network that is not the checkpoint's: another class, arguments, game, rules or observation.

        Args:
            network: The network that is to take the weights.
            heads_may_differ: Whether only one of the two may have auxiliary heads. Default: no.

        Raises:
            ValueError: Names what differs, what the checkpoint has and what is expected.
        """
        if differences := self.description.differences(network, heads_may_differ):
            raise ValueError(f"{self._file} is of another network; " + "; ".join(differences))

    def load_into(self, network: PolicyValueNetwork) -> None:
        """Gives a network the checkpoint's weights. Auxiliary heads that only one of the two has are left alone.

        Args:
            network: A network of the checkpoint's class, arguments and game; its auxiliary heads may differ, and it may
                have a condition where the checkpoint has none.

        Raises:
            ValueError: The checkpoint is damaged, or of another network.
        """
        self.check_fits(network, heads_may_differ=True)
        own, weights = network.state_dict(), self.weights
        if not self.description.is_told:
            weights = with_condition_layer(weights, own)
        taken = {key: value for key, value in weights.items() if key in own or not key.startswith(_HEADS)}
        if any(key.startswith(_HEADS) for key in own) and not any(key.startswith(_HEADS) for key in weights):
            taken |= {key: value for key, value in own.items() if key.startswith(_HEADS)}
        try:
            network.load_state_dict(taken)
        except RuntimeError as error:
            raise ValueError(f"{self._file} is damaged: its weights do not fit ({error})") from None

    # -- the run that wrote it -------------------------------------------------------------------------------------

    @property
    def iteration(self) -> int:
        """Returns the number of iterations (epochs) that the run had finished.

        Raises:
            ValueError: The file does not say.
        """
        try:
            done = self.contents["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
        except (KeyError, TypeError, IndexError):
            done = None
        if isinstance(done, bool) or not isinstance(done, int) or done < 0:
            raise ValueError(
                f"{self._file} cannot be taken: loops: fit_loop.epoch_progress.current.processed: {done!r} found, "
                "expected an iteration"
            )
        return done

    @property
    def missing(self) -> list[str]:
        """Returns the names of what a run needs to go on and this file lacks."""
        return [key for key in _OF_A_RUN if key not in self.contents]

    @property
    def steps(self) -> int | None:
        """Returns the number of optimizer steps, None if the file does not say."""
        return self.contents.get("global_step")

    @property
    def callbacks(self) -> Mapping[str, Any]:
        """Returns the callbacks' states by name."""
        found = self.contents.get("callbacks")
        return found if isinstance(found, Mapping) else {}

    @property
    def optimizer_configuration(self) -> dict[str, Any] | None:
        """Returns the settings of the optimizer and schedule the run had, None if the file does not say."""
        return self._noted("optimizer_configuration")

    @property
    def rates(self) -> list[float]:
        """Returns the learning rate of each group of the optimizer's parameters, when the file was written."""
        try:
            return [group["lr"] for group in self.contents["optimizer_states"][0]["param_groups"]]
        except (KeyError, TypeError, IndexError):
            return []

    @property
    def versions(self) -> dict[str, str | None]:
        """Returns the versions of the libraries that wrote the file, by name; older files name Lightning's only."""
        return {"lightning": self.contents.get("pytorch-lightning_version"), **(self._noted("versions") or {})}

    def _noted(self, key: str) -> dict[str, Any] | None:
        found = self.contents.get(ENTRY)
        value = found.get(key) if isinstance(found, Mapping) else None
        return value if isinstance(value, dict) else None

    # -- its data --------------------------------------------------------------------------------------------------

    def data(self, name: str = DATA) -> Any:
        """Returns the state of the run's data module, None if there is none.

        Args:
            name: Name of the data module's class. Default: `SelfPlayDataModule`.
        """
        return self.contents.get(name)

    @property
    def pool(self) -> Mapping[str, Any] | None:
        """Returns the state of the opponent pool, None if there is none."""
        data = self.data()
        pool = data.get("opponent_pool") if isinstance(data, Mapping) else None
        return pool if isinstance(pool, Mapping) else None

    @property
    def windows(self) -> list[Any]:
        """Returns the states of the replay windows, one per process of the run; none if they were not saved.

        Raises:
            ValueError: They are not stored as expected.
        """
        data = self.data()
        try:
            return windows_in(data) if isinstance(data, Mapping) else []
        except ValueError as error:
            raise ValueError(f"{self._file} cannot be taken: {error}") from None
