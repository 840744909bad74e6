"""What a whole file may still hold that a run cannot go on from; found before the run writes anything."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor

from lit_trainer.opponent_pool import check_pool_state
from lit_trainer.replay import check_window_state

log = logging.getLogger(__name__)

_OF_A_RUN = ("loops", "callbacks", "optimizer_states", "lr_schedulers", "pytorch-lightning_version")


def check_weights(checkpoint: Mapping[str, Any], module: LightningModule) -> None:
    """Refuse weights that are not the module's.

    Raises:
        ValueError: names the first that is missing, unknown, or of another shape.
    """
    own, saved = module.state_dict(), checkpoint["state_dict"]
    if not isinstance(saved, Mapping):
        raise ValueError(f"state_dict: {type(saved).__name__} found, expected weights by name")
    if module.strict_loading:
        for name in sorted(own.keys() ^ saved.keys()):
            raise ValueError(f"state_dict: {name} is {'missing' if name in own else 'not known'}")
    for name in own.keys() & saved.keys():
        if not isinstance(saved[name], Tensor) or saved[name].shape != own[name].shape:
            found = tuple(saved[name].shape) if isinstance(saved[name], Tensor) else type(saved[name]).__name__
            raise ValueError(f"state_dict: {name}: {found} found, expected {tuple(own[name].shape)}")


def check_resumable(checkpoint: Mapping[str, Any], module: LightningModule, data: LightningDataModule) -> None:
    """Refuse what a run cannot go on from, or could go on from only by forgetting a part of itself.

    Args:
        checkpoint: as read, of this network, see `check_fits`.
        module: that goes on; it has one optimizer, and a ``network``.
        data: that goes on: a `SelfPlayDataModule`.

    Raises:
        ValueError: names what is missing or wrong, and what is expected.
    """
    if missing := [key for key in _OF_A_RUN if key not in checkpoint]:
        raise ValueError(
            f"it holds weights, but no {', '.join(missing)}; expected a run's own checkpoint. A new run begins with "
            "its weights by model.initial_weights"
        )
    check_weights(checkpoint, module)
    _check_optimizer(checkpoint)
    if not isinstance(checkpoint["callbacks"], Mapping):
        raise ValueError(f"callbacks: {type(checkpoint['callbacks']).__name__} found, expected states by name")
    state = checkpoint.get(type(data).__qualname__)
    if state is None:
        log.warning("The checkpoint holds nothing of %s: pool and replay window begin anew.", type(data).__qualname__)
        return
    if not isinstance(state, Mapping) or "opponent_pool" not in state:
        raise ValueError(f"{type(data).__qualname__}: it holds no opponent_pool")
    check_pool_state(state["opponent_pool"], module.network.state_dict())  # type: ignore[union-attr]
    game = data.game  # type: ignore[attr-defined]
    if "replay" in state:
        check_window_state(state["replay"], game)
        others = state.get("replay_of_rank", {})
        if not isinstance(others, Mapping):
            raise ValueError(f"replay_of_rank: {type(others).__name__} found, expected windows by process")
        for window in others.values():
            check_window_state(window, game)


def _check_optimizer(checkpoint: Mapping[str, Any]) -> None:
    states, schedulers = checkpoint["optimizer_states"], checkpoint["lr_schedulers"]
    if not isinstance(states, list) or len(states) != 1:
        found = len(states) if isinstance(states, list) else type(states).__name__
        raise ValueError(f"optimizer_states: {found} found, expected a list of one")
    if not isinstance(states[0], Mapping) or not {"state", "param_groups"} <= states[0].keys():
        raise ValueError("optimizer_states: it lacks state, or param_groups")
    if not isinstance(schedulers, list) or not all(isinstance(one, Mapping) for one in schedulers):
        raise ValueError("lr_schedulers: expected a list of states")
