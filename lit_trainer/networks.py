"""Policy-value networks: observations in, policy logits and a value out."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_trainer.checks import whole_number
from lit_trainer.linear import Linear
from sim_core import get_game

_MAX_WIDTH, _MAX_LAYERS = 16_384, 1024
"""Far above what search is worth its time with."""


class Auxiliary(NamedTuple):
    """What a network guesses on the side, to learn from: no search and no player asks for it."""

    margin: Tensor
    """Final margin for the player to move [B], in units of the game's `margin_scale`."""
    hidden: Tensor
    """Logits [B, H] of what the player to move cannot see; H is 0 in games where all is public."""


class AuxiliaryHeads(nn.Module):
    """Heads on the features of policy and value: the final margin, and the other's hidden hand.

    Args:
        game: name of the game.
        width: features.
    """

    def __init__(self, game: str, width: int) -> None:
        super().__init__()
        hidden_size = get_game(game).hidden_size
        self.margin = nn.Sequential(Linear(width, 64), nn.ReLU(), Linear(64, 1))
        self.hidden = Linear(width, hidden_size) if hidden_size else None

    def forward(self, features: Tensor) -> Auxiliary:
        """Features [B, width] to both guesses."""
        hidden = features.new_empty((len(features), 0)) if self.hidden is None else self.hidden(features)
        return Auxiliary(self.margin(features).squeeze(-1), hidden)


class PolicyValueNetwork(nn.Module):
    """Base of all networks: a subclass calls ``super().__init__(game, **its own arguments)`` and defines `forward`.

    The arguments are kept in `config`, from which a checkpoint's network is built again; they must be numbers,
    strings or booleans. A network that learns on the side sets `auxiliary_heads`, after all of its other layers, and
    defines `forward_auxiliary`.

    Args:
        game: name of the game whose observations it reads and whose actions it rates.
    """

    def __init__(self, game: str = "beasty_bar", **config: Any) -> None:
        super().__init__()
        rules = get_game(game)
        self.game = game
        self.observation_size: int = rules.observation_size
        self.num_actions: int = rules.num_actions
        self.config: dict[str, Any] = {"game": game, **config}
        self.auxiliary_heads: AuxiliaryHeads | None = None

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Observations float [B, OBSERVATION_SIZE] to logits [B, A] and value [B] in -1 to 1."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(observations)")

    def forward_auxiliary(self, observations: Tensor) -> tuple[Tensor, Tensor, Auxiliary]:
        """Logits and value as of `forward`, and what the auxiliary heads guess; for learning alone."""
        raise NotImplementedError(f"{type(self).__name__} must define forward_auxiliary(observations)")


def _heads_of(network: PolicyValueNetwork) -> AuxiliaryHeads:
    if network.auxiliary_heads is None:
        raise ValueError("auxiliary: this network has no auxiliary heads; make it with auxiliary=True")
    return network.auxiliary_heads


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


class TransformerNetwork(PolicyValueNetwork):
    """Transformer encoder (Vaswani et al. 2017) over the observation's named parts, one token each.

    Every part of the game's observation layout (a place of the line, the own hand, the ply, ...) is projected to a
    token of its own; a learned summary token feeds both heads. No dropout: behaviour and learning must agree.

    Args:
        game: name of the game.
        width: token size, a multiple of `heads`.
        layers: encoder layers.
        heads: attention heads.
        auxiliary: with heads that learn the final margin and the other's hidden hand; play never asks them.
    """

    def __init__(
        self,
        game: str = "beasty_bar",
        width: int = 128,
        layers: int = 3,
        heads: int = 4,
        auxiliary: bool = False,
    ) -> None:
        whole_number("width", width, 1, _MAX_WIDTH)
        whole_number("layers", layers, 1, _MAX_LAYERS)
        whole_number("heads", heads, 1, _MAX_WIDTH)
        if width % heads:
            raise ValueError(f"width: {width} given, expected a multiple of heads ({heads})")
        super().__init__(game, width=width, layers=layers, heads=heads, auxiliary=auxiliary)
        self.part_sizes = [size for _, size in get_game(game).observation_layout]
        self.embeddings = nn.ModuleList(nn.Linear(size, width) for size in self.part_sizes)
        self.summary = nn.Parameter(torch.zeros(1, 1, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.policy_head = nn.Linear(width, self.num_actions)
        self.value_head = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 1))
        self.auxiliary_heads = AuxiliaryHeads(game, width) if auxiliary else None

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self._features(observations)
        return self.policy_head(features), torch.tanh(self.value_head(features)).squeeze(-1)

    def forward_auxiliary(self, observations: Tensor) -> tuple[Tensor, Tensor, Auxiliary]:
        features = self._features(observations)
        value = torch.tanh(self.value_head(features)).squeeze(-1)
        return self.policy_head(features), value, _heads_of(self)(features)

    def _features(self, observations: Tensor) -> Tensor:
        parts = torch.split(observations, self.part_sizes, dim=-1)
        tokens = [embed(part) for embed, part in zip(self.embeddings, parts, strict=True)]
        summary = self.summary.expand(len(observations), -1, -1)
        encoded = self.encoder(torch.cat([summary, torch.stack(tokens, dim=1)], dim=1))
        features: Tensor = self.norm(encoded[:, 0])
        return features
