"""Resumes a run: checks what a checkpoint holds, and applies the current optimizer settings."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_trainer.checkpoints.description import ENTRY, Description
from lit_trainer.checkpoints.reader import Checkpoint, windows_in
from lit_trainer.learning.replay import check_window_state
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.condition import with_condition_layer

log = logging.getLogger(__name__)


def _plain(value: Any) -> Any:
    """Returns the value if it consists of plain types, which a checkpoint may hold, and otherwise its type's name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return type(value).__name__


def configuration(optimizer: Optimizer, scheduler: LRScheduler | None, interval: str = "epoch") -> dict[str, Any]:
    """Returns a new optimizer's and scheduler's settings as plain values, to tell whether a resume changes them."""
    return {
        "optimizer": type(optimizer).__name__,
        "groups": [_plain({k: v for k, v in group.items() if k != "params"}) for group in optimizer.param_groups],
        "scheduler": None if scheduler is None else type(scheduler).__name__,
        "interval": None if scheduler is None else interval,
        "scheduler_state": None if scheduler is None else _plain(scheduler.state_dict()),
    }


def _moments(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """Returns the settings that decide which moments an optimizer keeps."""
    groups = settings["groups"]
    return settings["optimizer"], [(g.get("amsgrad"), g.get("centered"), bool(g.get("momentum"))) for g in groups]


def apply_current_settings(
    checkpoint: dict[str, Any],
    saved: Mapping[str, Any] | None,
    optimizer: Optimizer,
    scheduler: LRScheduler | None,
    interval: str = "epoch",
) -> None:
    """Edits a checkpoint so that optimizer settings come from this run, and moments from the checkpoint.

    Lightning restores what the checkpoint holds. If the settings are equal, the checkpoint stays as it is, so that the
    run continues exactly. A changed schedule starts anew, and an optimizer of another kind starts without moments.

    Args:
        checkpoint: Loaded checkpoint. Its "optimizer_states" and "lr_schedulers" are changed in place.
        saved: `configuration` of the run that wrote the checkpoint. None: unknown.
        optimizer: New optimizer of this run.
        scheduler: New scheduler of this run, made for `optimizer`. None: the learning rate is constant.
        interval: Unit of the scheduler's steps, "epoch" or "step".
    """
    wanted = configuration(optimizer, scheduler, interval)
    if saved == wanted or not checkpoint.get("optimizer_states"):
        return
    if saved is None or _moments(saved) != _moments(wanted):
        log.warning("Resume: the optimizer is now %s; its moments start anew.", wanted["optimizer"])
        checkpoint["optimizer_states"] = [optimizer.state_dict()]
    else:
        restored = checkpoint["optimizer_states"][0]
        fresh = optimizer.state_dict()["param_groups"]
        if [len(g["params"]) for g in restored["param_groups"]] == [len(g["params"]) for g in fresh]:
            restored["param_groups"] = fresh
    if scheduler is None:
        checkpoint["lr_schedulers"] = []
    else:
        checkpoint["lr_schedulers"] = [scheduler.state_dict()]
    rates = ", ".join(f"{group['lr']:g}" for group in optimizer.param_groups)
    log.info("Resume: optimizer settings of this configuration replace the checkpoint's; learning rate %s.", rates)


def add_condition(checkpoint: dict[str, Any], network: PolicyValueNetwork) -> None:
    """Edits a checkpoint of a network that cannot be told anything, so that one that can continues from it.

    Weights that are missing and their optimizer moments are zeros. Everything else keeps its place by name, because the
    optimizer's state is kept by the number of a parameter. Other checkpoints stay as they are.

    Args:
        checkpoint: Loaded checkpoint. Its "state_dict" and "optimizer_states" are replaced.
        network: Network of this run.
    """
    saved, completed = checkpoint["state_dict"], _completed(checkpoint, network)
    if completed is saved:
        return
    checkpoint["state_dict"] = completed
    shapes = {f"network.{name}": parameter.shape for name, parameter in network.named_parameters()}
    before = [name for name in saved if name in shapes]  # a state_dict has the parameters in the optimizer's order
    changed = []
    for optimizer in checkpoint.get("optimizer_states", ()):
        groups = optimizer["param_groups"]
        if len(groups) != 1 or groups[0]["params"] != list(range(len(before))):
            raise ValueError(
                f"optimizer_states: parameters in {len(groups)} groups found, expected all {len(before)} in one; begin "
                "a new run by model.initial_weights"
            )
        state = {name: optimizer["state"][number] for number, name in enumerate(before) if number in optimizer["state"]}
        if state:
            like = next(iter(state.values()))
            state |= {name: _no_moments(like, shape) for name, shape in shapes.items() if name not in before}
        numbers = {name: number for number, name in enumerate(shapes)}
        moments = {numbers[name]: kept for name, kept in state.items()}
        changed.append({"state": moments, "param_groups": [{**groups[0], "params": list(numbers.values())}]})
    if changed:
        checkpoint["optimizer_states"] = changed


def _completed(checkpoint: Mapping[str, Any], network: PolicyValueNetwork) -> Mapping[str, Any]:
    """Returns a checkpoint's weights, with zeros for the condition if only this run's network has one."""
    saved: Mapping[str, Any] = checkpoint["state_dict"]
    if not network.condition_size or Description.parse(checkpoint.get(ENTRY), "checkpoint").is_told:
        return saved
    return with_condition_layer(saved, {f"network.{name}": own for name, own in network.state_dict().items()})


def _no_moments(like: Mapping[str, Any], shape: torch.Size) -> dict[str, Any]:
    """Returns a state of zeros for a parameter, with the steps that `like` counts."""
    return {
        name: torch.zeros(shape, dtype=value.dtype)
        if isinstance(value, Tensor) and value.dim()
        else copy.deepcopy(value)
        for name, value in like.items()
    }


def check_weights(checkpoint: Checkpoint, module: LightningModule) -> None:
    """Checks that a checkpoint's weights fit the module.

    Raises:
        ValueError: Names the first weight that is missing, unknown or of another shape.
    """
    own, saved = module.state_dict(), checkpoint.contents["state_dict"]
    if not isinstance(saved, Mapping):
        raise ValueError(f"state_dict: {type(saved).__name__} found, expected weights by name")
    saved = _completed(checkpoint.contents, module.network)  # type: ignore[arg-type]
    if module.strict_loading:
        for name in sorted(own.keys() ^ saved.keys()):
            raise ValueError(f"state_dict: {name} is {'missing' if name in own else 'not known'}")
    for name in own.keys() & saved.keys():
        if not isinstance(saved[name], Tensor) or saved[name].shape != own[name].shape:
            found = tuple(saved[name].shape) if isinstance(saved[name], Tensor) else type(saved[name]).__name__
            raise ValueError(f"state_dict: {name}: {found} found, expected {tuple(own[name].shape)}")


def check_resumable(checkpoint: Checkpoint, module: LightningModule, data: LightningDataModule) -> None:
    """Checks that a run can continue from a checkpoint without losing any of its state.

    Args:
        checkpoint: Checkpoint whose network fits, see `Checkpoint.check_fits`.
        module: Module of the resumed run. It has one optimizer and a ``network``.
        data: Data module of the resumed run, a `SelfPlayDataModule`.

    Raises:
        ValueError: Names what is missing or wrong, and what is expected.
    """
    if missing := checkpoint.missing:
        raise ValueError(
            f"it holds weights, but no {', '.join(missing)}; expected a run's own checkpoint. A new run begins with "
            "its weights by model.initial_weights"
        )
    check_weights(checkpoint, module)
    _check_optimizer(checkpoint.contents)
    add_condition(dict(checkpoint.contents), module.network)  # type: ignore[arg-type]
    if not isinstance(found := checkpoint.contents["callbacks"], Mapping):
        raise ValueError(f"callbacks: {type(found).__name__} found, expected states by name")
    state = checkpoint.data(type(data).__qualname__)
    if state is None:
        log.warning("The checkpoint holds nothing of %s: pool and replay window begin anew.", type(data).__qualname__)
        return
    if not isinstance(state, Mapping) or "opponent_pool" not in state:
        raise ValueError(f"{type(data).__qualname__}: it holds no opponent_pool")
    data.opponent_pool.check_state(  # type: ignore[attr-defined]
        state["opponent_pool"],
        module.network.state_dict(),  # type: ignore[union-attr]
        checkpoint.description.is_told,
    )
    game = data.game  # type: ignore[attr-defined]
    told: int = module.network.condition_size  # type: ignore[assignment, union-attr]
    for window in windows_in(state):
        check_window_state(window, game, told)


def _check_optimizer(checkpoint: Mapping[str, Any]) -> None:
    states, schedulers = checkpoint["optimizer_states"], checkpoint["lr_schedulers"]
    if not isinstance(states, list) or len(states) != 1:
        found = len(states) if isinstance(states, list) else type(states).__name__
        raise ValueError(f"optimizer_states: {found} found, expected a list of one")
    if not isinstance(states[0], Mapping) or not {"state", "param_groups"} <= states[0].keys():
        raise ValueError("optimizer_states: it lacks state, or param_groups")
    if not isinstance(schedulers, list) or not all(isinstance(one, Mapping) for one in schedulers):
        raise ValueError("lr_schedulers: expected a list of states")
