"""The residual multilayer perceptron."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lit_trainer.networks.base import _MAX_LAYERS, _MAX_WIDTH, Auxiliary, AuxiliaryHeads, PolicyValueNetwork, _heads_of
from lit_trainer.networks.linear import Linear
from lit_trainer.utils.checks import whole_number


class _ResidualBlock(nn.Module):
    """Pre-activation: x + W2 relu(W1 norm(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = Linear(width, width)
        self.outer = Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.outer(torch.relu(self.inner(self.norm(x))))
        return out


class ResidualMLP(PolicyValueNetwork):
    """Residual multilayer perceptron: on a CPU about ten times as fast as a transformer of its size.

    Args:
        game: name of the game.
        width: hidden units.
        blocks: residual blocks of two layers each.
        auxiliary: with heads that learn the final margin and the other's hidden hand; play never asks them.
    """

    def __init__(self, game: str = "beasty_bar", width: int = 256, blocks: int = 4, auxiliary: bool = False) -> None:
        whole_number("width", width, 1, _MAX_WIDTH)
        whole_number("blocks", blocks, 0, _MAX_LAYERS)
        super().__init__(game, width=width, blocks=blocks, auxiliary=auxiliary)
        self.stem = Linear(self.observation_size, width)
        self.blocks = nn.Sequential(*(_ResidualBlock(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.policy_head = Linear(width, self.num_actions)
        self.value_head = nn.Sequential(Linear(width, 64), nn.ReLU(), Linear(64, 1))
        self.auxiliary_heads = AuxiliaryHeads(game, width) if auxiliary else None

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.relu(self.norm(self.blocks(self.stem(observations))))
        return self.policy_head(features), torch.tanh(self.value_head(features)).squeeze(-1)

    def forward_auxiliary(self, observations: Tensor) -> tuple[Tensor, Tensor, Auxiliary]:
        features = torch.relu(self.norm(self.blocks(self.stem(observations))))
        value = torch.tanh(self.value_head(features)).squeeze(-1)
        return self.policy_head(features), value, _heads_of(self)(features)
