"""Checkpoints: read safely, and refused by name where they do not fit. Playing needs no Lightning for them."""

from __future__ import annotations

import inspect
import os
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.old_paths import current_path, public_object, public_path
from sim_core import get_game

KEY = "lit_alphazero"
FORMAT = 1


def load_file(
    path: str | os.PathLike[str], field: str = "ckpt_path", map_location: Any = "cpu", mmap: bool = False
) -> Any:
    """A file's tensors and plain values; code in it is never run (``weights_only``).

    Args:
        path: of the file.
        field: the setting that named it, for messages.
        map_location: as of `torch.load`.
        mmap: leave tensors on the disk until they are used, where the file's format allows it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is truncated or damaged, or holds code.
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
    """Raise where a file is not what its checksums say, which torch does not compare; its older format has none."""
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"checksum of {damaged} does not fit")


def read_checkpoint(path: str | os.PathLike[str], field: str = "ckpt_path") -> dict[str, Any]:
    """Load a checkpoint's tensors and plain values; code in it is never run (``weights_only``).

    Args:
        path: of the file.
        field: the setting that named it, for messages.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is truncated, damaged or not a checkpoint.
    """
    checkpoint = load_file(path, field, mmap=True)
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"{field}: {os.fspath(path)!r} is no Lightning checkpoint: it has no 'state_dict'")
    return checkpoint


def describe(network: PolicyValueNetwork) -> dict[str, Any]:
    """What a checkpoint says of its network and game: plain values from which both are checked and built again."""
    rules = get_game(network.game)
    return {
        "format": FORMAT,
        "rules_version": rules.version,
        "observation_version": rules.observation_version,
        "network": {
            "class_path": public_path(type(network)),
            "init_args": dict(network.config),
        },
    }


def _saved(checkpoint: Mapping[str, Any], path: object, field: str) -> Mapping[str, Any]:
    """What `describe` wrote into a checkpoint, once it is sure to be of a format this version reads."""
    saved = checkpoint.get(KEY)
    if not isinstance(saved, Mapping):
        raise ValueError(f"{field}: {path} was not written by lit-alphazero: it has no {KEY!r} entry")
    version = saved.get("format")
    if not isinstance(version, int) or not 1 <= version <= FORMAT:
        raise ValueError(f"{field}: {path} has format {version!r}, this version reads 1 to {FORMAT}")
    network = saved.get("network")
    if (
        not isinstance(network, Mapping)
        or not isinstance(network.get("class_path"), str)
        or not isinstance(network.get("init_args"), Mapping)
        or not {"rules_version", "observation_version"} <= saved.keys()
    ):
        raise ValueError(f"{field}: {path} is damaged: its {KEY!r} entry lacks versions, or the network's class")
    return saved


def iterations_done(checkpoint: Mapping[str, Any]) -> int:
    """How many iterations (epochs) the run had finished that wrote the checkpoint.

    Raises:
        ValueError: it does not say.
    """
    try:
        done = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    except (KeyError, TypeError, IndexError):
        done = None
    if isinstance(done, bool) or not isinstance(done, int) or done < 0:
        raise ValueError(f"loops: fit_loop.epoch_progress.current.processed: {done!r} found, expected an iteration")
    return done


def check_fits(
    checkpoint: Mapping[str, Any],
    network: PolicyValueNetwork,
    path: object = "checkpoint",
    field: str = "ckpt_path",
    heads_may_differ: bool = False,
) -> None:
    """Refuse a checkpoint of another network, game, rules or observation.

    Args:
        checkpoint: as read.
        network: that is to take its weights.
        path: of the file, for messages.
        field: the setting that named it, for messages.
        heads_may_differ: whether one of the two may have auxiliary heads that the other lacks.

    Raises:
        ValueError: names what differs, what the checkpoint has and what is expected.
    """
    saved, expected = _saved(checkpoint, path, field), describe(network)
    theirs, ours = saved["network"]["init_args"], expected["network"]["init_args"]
    # an argument that was added since has its default: the network was built without it
    theirs = _defaults(type(network), ours) | dict(theirs)
    if heads_may_differ:
        theirs = {**theirs, "auxiliary": ours.get("auxiliary")}
    facts = [
        ("network", current_path(saved["network"]["class_path"]), expected["network"]["class_path"]),
        *((f"network {key}", theirs.get(key), ours.get(key)) for key in {**theirs, **ours}),
        ("version of the rules", saved["rules_version"], expected["rules_version"]),
        ("version of the observation", saved["observation_version"], expected["observation_version"]),
    ]
    differences = [
        f"{name}: the checkpoint has {has!r}, this run {wants!r}" for name, has, wants in facts if has != wants
    ]
    if differences:
        raise ValueError(f"{field}: {path} is of another network; " + "; ".join(differences))


def _defaults(network_class: type[PolicyValueNetwork], names: Collection[str]) -> dict[str, Any]:
    """Defaults of those of the class's arguments that are named and have one."""
    parameters = inspect.signature(network_class).parameters
    found = {name: parameters[name].default for name in names if name in parameters}
    return {name: default for name, default in found.items() if default is not inspect.Parameter.empty}


def build_network(
    checkpoint: Mapping[str, Any], path: object = "checkpoint", field: str = "ckpt_path"
) -> PolicyValueNetwork:
    """The checkpoint's network with its weights, on the CPU, in evaluation mode.

    Only classes of this package, or of modules already imported, are built: a file cannot make others be loaded.

    Raises:
        ValueError: the checkpoint is of another library, or its network's class, arguments or weights do not fit.
    """
    saved = _saved(checkpoint, path, field)["network"]
    network_class = _network_class(current_path(saved["class_path"]))
    if network_class is None:
        raise ValueError(
            f"{field}: {path} holds a {saved['class_path']}; import its module first, so that it can be built"
        )
    try:
        network = network_class(**saved["init_args"])
        network.load_state_dict(_weights(checkpoint))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{field}: {path} is damaged: its network cannot be built ({error})") from None
    check_fits(checkpoint, network, path, field)
    return network.eval().requires_grad_(False)


def _weights(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The network's part of a checkpoint's state."""
    prefix = "network."
    return {key[len(prefix) :]: value for key, value in checkpoint["state_dict"].items() if key.startswith(prefix)}


def load_initial_weights(network: PolicyValueNetwork, path: str | os.PathLike[str], field: str) -> None:
    """Give a network a checkpoint's weights to begin with: nothing else of it, no optimizer and no replay window.

    Auxiliary heads that the checkpoint lacks begin anew; those that the network lacks are left out.

    Args:
        network: of the checkpoint's class, arguments and game, but for auxiliary heads.
        path: of the checkpoint.
        field: the setting that named it, for messages.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or of another network.
    """
    checkpoint = read_checkpoint(path, field)
    check_fits(checkpoint, network, repr(os.fspath(path)), field, heads_may_differ=True)
    own, weights = network.state_dict(), _weights(checkpoint)
    heads = "auxiliary_heads."
    taken = {key: value for key, value in weights.items() if key in own or not key.startswith(heads)}
    if any(key.startswith(heads) for key in own) and not any(key.startswith(heads) for key in weights):
        taken |= {key: value for key, value in own.items() if key.startswith(heads)}
    try:
        network.load_state_dict(taken)
    except RuntimeError as error:
        raise ValueError(f"{field}: {os.fspath(path)!r} is damaged: its weights do not fit ({error})") from None


def _network_class(path: str) -> type[PolicyValueNetwork] | None:
    public = public_object(path)
    if isinstance(public, type) and issubclass(public, PolicyValueNetwork):
        return public
    return {public_path(found): found for found in _subclasses(PolicyValueNetwork)}.get(path)


def _subclasses(cls: type[PolicyValueNetwork]) -> set[type[PolicyValueNetwork]]:
    return {cls}.union(*(_subclasses(sub) for sub in cls.__subclasses__()))
