"""Provides opponent pools for tests: an agent, pools of any size, checks of their weights, their saved state."""

from __future__ import annotations

import math
from typing import Any

import torch

from lit_trainer.players.adaptive_pool import AdaptiveOpponentPool


class First:
    """Plays the first legal action, as an agent written in Python."""

    def select_action(self, state: Any, legal_actions: Any) -> Any:
        return legal_actions[0]


class Last:
    """An agent written in Python: the last legal action."""

    def select_action(self, state: Any, legal_actions: Any) -> Any:
        return legal_actions[-1]


def many(count: int) -> dict[str, Any]:
    """Returns arguments for a pool of that many opponents, more than are built in."""
    names = [f"agent_{k}" for k in range(count)]
    return {"opponents": names, "agents": {name: First() for name in names}}


def check_weights(pool: AdaptiveOpponentPool) -> None:
    assert tuple(pool.weights) == pool.opponents
    assert math.isclose(sum(pool.weights.values()), 1.0, abs_tol=1e-9)
    assert min(pool.weights.values()) >= pool.MIN_WEIGHT - 1e-12
    assert pool.MIN_WEIGHT == 0.05


def through_a_file(state: dict[str, Any], path: Any) -> Any:
    torch.save(state, path)
    return torch.load(path, weights_only=True)
