"""Optimizer and scheduler across a resume: the configuration's settings win, the optimizer's memory is kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

log = logging.getLogger(__name__)


def _plain(value: Any) -> Any:
    """`value` where it is made of plain types, which a checkpoint may hold; else its type's name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return type(value).__name__


def configuration(optimizer: Optimizer, scheduler: LRScheduler | None, interval: str = "epoch") -> dict[str, Any]:
    """A new optimizer's and scheduler's settings as plain values, to tell whether a resumed run changed them."""
    return {
        "optimizer": type(optimizer).__name__,
        "groups": [_plain({k: v for k, v in group.items() if k != "params"}) for group in optimizer.param_groups],
        "scheduler": None if scheduler is None else type(scheduler).__name__,
        "interval": None if scheduler is None else interval,
        "scheduler_state": None if scheduler is None else _plain(scheduler.state_dict()),
    }


def _moments(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """What decides which moments an optimizer keeps."""
    groups = settings["groups"]
    return settings["optimizer"], [(g.get("amsgrad"), g.get("centered"), bool(g.get("momentum"))) for g in groups]


def let_configuration_win(
    checkpoint: dict[str, Any],
    saved: Mapping[str, Any] | None,
    optimizer: Optimizer,
    scheduler: LRScheduler | None,
    interval: str = "epoch",
) -> None:
    """Change what Lightning is about to restore, so that settings come from this run and moments from the checkpoint.

    Where the settings are those of the run that wrote the checkpoint, nothing is changed: that run goes on exactly.
    A changed schedule starts anew at this point; a changed kind of optimizer starts without moments.

    Args:
        checkpoint: as loaded; its "optimizer_states" and "lr_schedulers" are changed in place.
        saved: `configuration` of the run that wrote it.
        optimizer: this run's, new.
        scheduler: this run's, new; made after `optimizer` and for it.
        interval: what the scheduler's steps count, "epoch" or "step".
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
