"""The residual multilayer perceptron and its forward pass for search. No other module knows its inside."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from lit_trainer.networks.base import _MAX_LAYERS, _MAX_WIDTH, Auxiliary, AuxiliaryHeads, PolicyValueNetwork, _heads_of
from lit_trainer.networks.condition import condition_size
from lit_trainer.networks.kernels import Affine, Forward, Kernels, in_passes, kernels_for, rows_at_once
from lit_trainer.networks.linear import Linear, ZeroLinear
from lit_trainer.utils.checks import whole_number


class _ResidualBlock(nn.Module):
    """Computes x + W2 relu(W1 norm(x)): the norm comes first."""

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
    """Rates positions by a residual multilayer perceptron.

    On a CPU it is ten times as fast as a transformer of its size.

    Args:
        game: Name of the game.
        width: Hidden units.
        blocks: Residual blocks of two layers each.
        auxiliary: Whether it has heads that learn the final margin and the opponent's hidden hand. Play ignores them.
        condition: What it can be told besides its observation: "none", "opponent" (the probability of each built-in
            opponent) or "belief" (these, and the probability of each card to be in the opponent's hand).
    """

    def __init__(
        self,
        game: str = "beasty_bar",
        width: int = 256,
        blocks: int = 4,
        auxiliary: bool = False,
        condition: Literal["none", "opponent", "belief"] = "none",
    ) -> None:
        whole_number("width", width, 1, _MAX_WIDTH)
        whole_number("blocks", blocks, 0, _MAX_LAYERS)
        super().__init__(game, width=width, blocks=blocks, auxiliary=auxiliary, condition=condition)
        self.condition_size = condition_size(game, condition)
        self.stem = Linear(self.observation_size, width)
        self.condition_layer = ZeroLinear(self.condition_size, width) if self.condition_size else None
        self.blocks = nn.Sequential(*(_ResidualBlock(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.policy_head = Linear(width, self.num_actions)
        self.value_head = nn.Sequential(Linear(width, 64), nn.ReLU(), Linear(64, 1))
        self.auxiliary_heads = AuxiliaryHeads(game, width) if auxiliary else None

    def forward(self, observations: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns logits [B, A] and value [B].

        Args:
            observations: Observations [B, OBSERVATION_SIZE].
            condition: What the network is told besides them [B, condition_size]. None: nothing, as rows of zeros.
        """
        features = self._features(observations, condition)
        return self.policy_head(features), torch.tanh(self.value_head(features)).squeeze(-1)

    def forward_auxiliary(
        self, observations: Tensor, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Auxiliary]:
        """Returns logits and value, and what the auxiliary heads guess."""
        features = self._features(observations, condition)
        value = torch.tanh(self.value_head(features)).squeeze(-1)
        return self.policy_head(features), value, _heads_of(self)(features)

    def _features(self, observations: Tensor, condition: Tensor | None) -> Tensor:
        x = self.stem(observations)
        if condition is not None:
            if self.condition_layer is None:
                raise ValueError("condition: given, expected None: make the network with condition: opponent or belief")
            x = x + self.condition_layer(condition)
        features: Tensor = torch.relu(self.norm(self.blocks(x)))
        return features

    def fast_forward(self, dtype: torch.dtype) -> Forward | None:
        """Returns a forward pass by the fastest kernels, within 1e-5 of `forward` in fp32.

        On an x86 CPU a row's result in fp32 does not depend on the other rows, to the last bit. Weights that have the
        dtype already are used where they are, so that later changes of their values count. Others are copied now.

        Args:
            dtype: Precision of weights and activations.

        Returns:
            The pass, to be called under `torch.inference_mode`. None if the network computes something else, as
            a subclass with another forward does.
        """
        if not computes_as_residual_mlp(self):
            return None
        weights = weights_of(self, dtype)
        kernels = kernels_for(self.stem.weight.device, dtype)
        limit = rows_a_pass(weights)

        def forward(observations: Tensor) -> tuple[Tensor, Tensor]:
            x = observations.to(weights.stem.weight.dtype)
            logits, values = in_passes(x, limit, lambda rows: _pass(rows, weights, kernels))
            return logits, values.squeeze(-1)

        return forward


class Block(NamedTuple):
    """Holds the parameters of one residual block."""

    norm: Affine
    inner: Affine
    outer: Affine


class Weights(NamedTuple):
    """Holds the parameters of a `ResidualMLP`, without auxiliary heads."""

    stem: Affine
    blocks: tuple[Block, ...]
    norm: Affine
    policy: Affine
    value_hidden: Affine
    value: Affine
    eps: float
    condition: Affine | None


def _stock_layers(network: ResidualMLP) -> dict[str, type[nn.Module]]:
    # every module that `ResidualMLP` makes, by name
    layers: dict[str, type[nn.Module]] = {
        "": type(network), "stem": Linear, "blocks": nn.Sequential, "norm": nn.LayerNorm, "policy_head": Linear,
        "value_head": nn.Sequential, "value_head.0": Linear, "value_head.1": nn.ReLU, "value_head.2": Linear,
    }  # fmt: skip
    for k in range(len(network.blocks)):
        block = f"blocks.{k}"
        layers |= {block: _ResidualBlock, f"{block}.norm": nn.LayerNorm}
        layers |= {f"{block}.inner": Linear, f"{block}.outer": Linear}
    if network.condition_size:
        layers["condition_layer"] = ZeroLinear
    heads = network.auxiliary_heads
    if type(heads) is AuxiliaryHeads:  # unused in play
        layers |= {f"auxiliary_heads.{name}".rstrip("."): type(module) for name, module in heads.named_modules()}
    return layers


def computes_as_residual_mlp(network: PolicyValueNetwork) -> bool:
    """Returns whether calling the network does what `ResidualMLP.forward` does with stock layers, and nothing else.

    It is False for subclasses with another forward, exchanged layers, hooks and parametrizations.
    """
    if not isinstance(network, ResidualMLP) or type(network).forward is not ResidualMLP.forward:
        return False
    if {name: type(module) for name, module in network.named_modules()} != _stock_layers(network):
        return False
    for module in network.modules():
        if "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks:
            return False
        if isinstance(module, nn.Linear | nn.LayerNorm) and (
            module.weight is None or (module.bias is None) != (module is network.condition_layer)
        ):
            return False
    return len({module.eps for module in network.modules() if isinstance(module, nn.LayerNorm)}) == 1


def weights_of(network: ResidualMLP, dtype: torch.dtype | None = None) -> Weights:
    """Returns the parameters of a network, not copied where they have the wanted precision.

    Args:
        network: A network for which `computes_as_residual_mlp` is true.
        dtype: Precision of the result. Parameters of another precision are copied. None: no change.
    """

    def affine(module: nn.Module) -> Affine:
        layer = cast(nn.Linear, module)  # a layer norm's parameters have the same names
        weight, bias = layer.weight, layer.bias
        if bias is None:  # the kernels want one
            bias = weight.new_zeros(len(weight))
        if dtype is not None and weight.dtype != dtype:
            return Affine(weight.detach().to(dtype), bias.detach().to(dtype))
        return Affine(weight, bias)

    blocks = [cast(_ResidualBlock, block) for block in network.blocks]
    return Weights(
        affine(network.stem),
        tuple(Block(affine(block.norm), affine(block.inner), affine(block.outer)) for block in blocks),
        affine(network.norm),
        affine(network.policy_head),
        affine(network.value_head[0]),
        affine(network.value_head[2]),
        network.norm.eps,
        affine(network.condition_layer) if network.condition_layer is not None else None,
    )


def rows_a_pass(weights: Weights) -> int:
    """Returns the most rows that `ResidualMLP.fast_forward` takes through the layers at once on a CPU."""
    columns = max(len(weights.stem.bias), len(weights.value_hidden.bias))
    return rows_at_once(columns, weights.stem.bias.element_size())


def _pass(x: Tensor, weights: Weights, kernels: Kernels) -> tuple[Tensor, Tensor]:
    linear, linear_relu, linear_add = kernels
    eps = weights.eps
    if weights.condition is None:
        x = linear(x, weights.stem)
    else:  # two products: one over all columns would sum in another order
        size = weights.stem.weight.shape[1]
        x = linear_add(x[:, size:], linear(x[:, :size], weights.stem), weights.condition)
    shape = x.shape[1:]
    for norm, inner, outer in weights.blocks:
        x = linear_add(linear_relu(torch.layer_norm(x, shape, *norm, eps), inner), x, outer)
    features = torch.layer_norm(x, shape, *weights.norm, eps).relu_()
    values = linear(linear_relu(features, weights.value_hidden), weights.value)
    return linear(features, weights.policy), values.tanh_()
