"""Says in plain values which network, game and rules some weights belong to, and compares or builds from it."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.old_paths import current_path, public_object, public_path
from lit_trainer.utils.environment import versions
from sim_core import get_game

ENTRY = "lit_alphazero"
"""The key of a checkpoint under which the description is saved."""
FORMAT = 2
"""Format of the files that are written. 2: outcomes in the window are fractions, and networks can be told something."""


@dataclass(frozen=True)
class Description:
    """Describes a network by its class and arguments, and its game by the versions it was trained with."""

    class_path: str
    """Path of the network's class: `lit_trainer`'s public name, or a user's module and name."""
    init_args: Mapping[str, Any]
    """Arguments that build the network again."""
    rules_version: int
    observation_version: int
    format: int = FORMAT

    @classmethod
    def of(cls, network: PolicyValueNetwork) -> Self:
        """Returns the description of a network."""
        rules = get_game(network.game)
        return cls(public_path(type(network)), dict(network.config), rules.version, rules.observation_version)

    @classmethod
    def parse(cls, saved: object, file: str) -> Self:
        """Returns the description that a checkpoint holds.

        Args:
            saved: What stands under `ENTRY`; None if nothing does.
            file: How messages name the file: the setting and the path.

        Raises:
            ValueError: The file was written by another library, by a newer version, or is damaged.
        """
        if not isinstance(saved, Mapping):
            raise ValueError(f"{file} was not written by lit-alphazero: it has no {ENTRY!r} entry")
        version = saved.get("format")
        if not isinstance(version, int) or not 1 <= version <= FORMAT:
            raise ValueError(f"{file} has format {version!r}, this version reads 1 to {FORMAT}")
        network = saved.get("network")
        if (
            not isinstance(network, Mapping)
            or not isinstance(network.get("class_path"), str)
            or not isinstance(network.get("init_args"), Mapping)
            or not {"rules_version", "observation_version"} <= saved.keys()
        ):
            raise ValueError(f"{file} is damaged: its {ENTRY!r} entry lacks versions, or the network's class")
        path = current_path(network["class_path"])
        return cls(path, network["init_args"], saved["rules_version"], saved["observation_version"], version)

    @property
    def network(self) -> dict[str, Any]:
        """Returns class and arguments, as configuration files write them."""
        return {"class_path": self.class_path, "init_args": dict(self.init_args)}

    @property
    def is_told(self) -> bool:
        """Returns whether the network can be told something besides an observation."""
        return bool(self.init_args.get("condition", "none") != "none")

    def entry(self, optimizer_configuration: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Returns what a checkpoint holds under `ENTRY`: this description in plain values, and who wrote it.

        Args:
            optimizer_configuration: Settings of the run's optimizer and schedule. None: not kept.
        """
        kept = {} if optimizer_configuration is None else {"optimizer_configuration": optimizer_configuration}
        return {
            "format": self.format,
            "rules_version": self.rules_version,
            "observation_version": self.observation_version,
            "network": self.network,
            "versions": versions(),
            **kept,
        }

    def differences(self, network: PolicyValueNetwork, heads_may_differ: bool = False) -> list[str]:
        """Returns what a network has otherwise, each as a text with the value of both.

        Args:
            network: The network that is to take the weights.
            heads_may_differ: Whether only one of the two may have auxiliary heads. Default: no.
        """
        wanted = Description.of(network)
        ours = wanted.init_args
        # an argument that was added since has its default: the network was built without it
        theirs = _defaults(type(network), ours) | dict(self.init_args)
        if network.condition_size and not self.is_told:  # what it cannot be told yet starts at zero
            theirs = {**theirs, "condition": ours.get("condition")}
        if heads_may_differ:
            theirs = {**theirs, "auxiliary": ours.get("auxiliary")}
        facts = [
            ("network", self.class_path, wanted.class_path),
            *((f"network {key}", theirs.get(key), ours.get(key)) for key in {**theirs, **ours}),
            ("version of the rules", self.rules_version, wanted.rules_version),
            ("version of the observation", self.observation_version, wanted.observation_version),
        ]
        return [f"{name}: the checkpoint has {has!r}, this run {wants!r}" for name, has, wants in facts if has != wants]

    def network_class(self) -> type[PolicyValueNetwork] | None:
        """Returns the network's class, or None if it is unknown.

        Known are `lit_trainer`'s public networks and the classes of modules that are imported already: a file cannot
        make other modules be loaded.
        """
        public = public_object(self.class_path)
        if isinstance(public, type) and issubclass(public, PolicyValueNetwork):
            return public
        return {public_path(found): found for found in _subclasses(PolicyValueNetwork)}.get(self.class_path)


def _defaults(network_class: type[PolicyValueNetwork], names: Collection[str]) -> dict[str, Any]:
    parameters = inspect.signature(network_class).parameters
    found = {name: parameters[name].default for name in names if name in parameters}
    return {name: default for name, default in found.items() if default is not inspect.Parameter.empty}


def _subclasses(cls: type[PolicyValueNetwork]) -> set[type[PolicyValueNetwork]]:
    return {cls}.union(*(_subclasses(sub) for sub in cls.__subclasses__()))
