"""The network that reads an observation as tokens: a transformer encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lit_trainer.networks.base import _MAX_LAYERS, _MAX_WIDTH, Auxiliary, AuxiliaryHeads, PolicyValueNetwork, _heads_of
from lit_trainer.utils.checks import whole_number
from sim_core import get_game


class TransformerNetwork(PolicyValueNetwork):
    """Rates positions by a transformer encoder (Vaswani et al. 2017) over the observation's named parts.

    Every part of the game's observation layout (a place of the line, the own hand, the ply, ...) becomes one token. A
    learned summary token feeds both heads. There is no dropout, because play and learning must agree.

    Args:
        game: Name of the game.
        width: Size of a token. It must be a multiple of `heads`.
        layers: Number of encoder layers.
        heads: Number of attention heads.
        auxiliary: Whether it has heads that learn the final margin and the opponent's hidden hand. Play ignores them.
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
        """Returns logits [B, A] and value [B] of observations [B, OBSERVATION_SIZE]."""
        features = self._features(observations)
        return self.policy_head(features), torch.tanh(self.value_head(features)).squeeze(-1)

    def forward_auxiliary(self, observations: Tensor) -> tuple[Tensor, Tensor, Auxiliary]:
        """Returns logits and value, and what the auxiliary heads guess."""
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
