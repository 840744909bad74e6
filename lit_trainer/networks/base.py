"""The base class of all policy-value networks, and the auxiliary heads a network may have."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_trainer.networks.kernels import Forward
from lit_trainer.networks.linear import Linear
from sim_core import get_game

_MAX_WIDTH, _MAX_LAYERS = 16_384, 1024
"""Far above the sizes at which search is worth its time."""


class Auxiliary(NamedTuple):
    """Holds what a network guesses on the side, to learn from. Searches and players ignore it."""

    margin: Tensor
    """Final margin for the player to move [B], in units of the game's `margin_scale`."""
    hidden: Tensor
    """Logits [B, H] of what the player to move cannot see. H is 0 in games without hidden information."""


class AuxiliaryHeads(nn.Module):
    """Guesses the final margin and the opponent's hidden hand from the features of policy and value.

    Args:
        game: Name of the game.
        width: Number of features.
    """

    def __init__(self, game: str, width: int) -> None:
        super().__init__()
        hidden_size = get_game(game).hidden_size
        self.margin = nn.Sequential(Linear(width, 64), nn.ReLU(), Linear(64, 1))
        self.hidden = Linear(width, hidden_size) if hidden_size else None

    def forward(self, features: Tensor) -> Auxiliary:
        """Returns both guesses from features [B, width]."""
        hidden = features.new_empty((len(features), 0)) if self.hidden is None else self.hidden(features)
        return Auxiliary(self.margin(features).squeeze(-1), hidden)


class PolicyValueNetwork(nn.Module):
    """Rates positions: the base of all networks.

    A subclass calls ``super().__init__(game, **its own arguments)`` and defines `forward`. The arguments are kept in
    `config`, from which a checkpoint's network is built again; they must be numbers, strings or booleans. A network
    that learns on the side sets `auxiliary_heads`, after all of its other layers, and defines `forward_auxiliary`.
    A network with a faster way than `forward` for search defines `fast_forward`. One that can be told more than its
    observation sets `condition_size`, and its two forwards take a `condition` too.

    Args:
        game: Name of the game whose observations it reads and whose actions it rates.
        config: The subclass's own arguments.
    """

    condition_size: int = 0
    """Numbers that it can be told besides an observation, see lit_trainer/networks/condition.py. 0: none."""

    def __init__(self, game: str = "beasty_bar", **config: Any) -> None:
        super().__init__()
        rules = get_game(game)
        self.game = game
        self.observation_size: int = rules.observation_size
        self.num_actions: int = rules.num_actions
        self.config: dict[str, Any] = {"game": game, **config}
        self.auxiliary_heads: AuxiliaryHeads | None = None

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits [B, A] and value [B] in -1 to 1 of observations, float [B, OBSERVATION_SIZE]."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(observations)")

    def forward_auxiliary(self, observations: Tensor) -> tuple[Tensor, Tensor, Auxiliary]:
        """Returns logits and value as `forward` does, and what the auxiliary heads guess. Only learning calls it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward_auxiliary(observations)")

    def fast_forward(self, dtype: torch.dtype) -> Forward | None:
        """Returns a faster way than `forward` for search. None, the default: there is none.

        It takes rows [m, OBSERVATION_SIZE + condition_size]: each observation, then its condition. Evaluators ask again
        when the weights may have moved to another device or precision.

        Args:
            dtype: Precision of weights and activations.
        """
        return None


def _heads_of(network: PolicyValueNetwork) -> AuxiliaryHeads:
    if network.auxiliary_heads is None:
        raise ValueError("auxiliary: this network has no auxiliary heads; make it with auxiliary=True")
    return network.auxiliary_heads
