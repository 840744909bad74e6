"""The forward pass of `ResidualMLP` for search: its weights as they lie, the fastest kernels the processor has.

On x86 the linear layers go to oneDNN, which adds the bias, the ReLU or the residual within the matrix product and
uses AVX-512 on every vendor's processors; `torch.mm` and `nn.Linear` in fp32 go to MKL, which does not
(docs/benchmarks.md, "Evaluators", has what was measured).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_trainer.networks.base import AuxiliaryHeads, PolicyValueNetwork
from lit_trainer.networks.linear import Linear, onednn_computes
from lit_trainer.networks.residual_mlp import ResidualMLP, _ResidualBlock

# A layer's activations take at most so much: glibc's malloc fetches larger blocks from the system and returns them
# again and again, and their page faults cost up to a quarter of the time. Fewer rows than the floor would read the
# weights of a wide network too often.
_LAYER_BYTES = 2**19
_ROWS_FLOOR = 256


class Affine(NamedTuple):
    """Weight and bias of a linear layer, or of a layer norm."""

    weight: Tensor
    bias: Tensor


class Block(NamedTuple):
    """Parameters of one residual block."""

    norm: Affine
    inner: Affine
    outer: Affine


class Weights(NamedTuple):
    """Parameters of a `ResidualMLP`."""

    stem: Affine
    blocks: tuple[Block, ...]
    norm: Affine
    policy: Affine
    value_hidden: Affine
    value: Affine
    eps: float


class Kernels(NamedTuple):
    """The three linear layers of the pass: alone, then with a ReLU, then with a tensor added."""

    linear: Callable[[Tensor, Affine], Tensor]
    linear_relu: Callable[[Tensor, Affine], Tensor]
    linear_add: Callable[[Tensor, Tensor, Affine], Tensor]


def _stock_layers(network: ResidualMLP) -> dict[str, type[nn.Module]]:
    """Every module that `ResidualMLP` makes, by name."""
    layers: dict[str, type[nn.Module]] = {
        "": type(network), "stem": Linear, "blocks": nn.Sequential, "norm": nn.LayerNorm, "policy_head": Linear,
        "value_head": nn.Sequential, "value_head.0": Linear, "value_head.1": nn.ReLU, "value_head.2": Linear,
    }  # fmt: skip
    for k in range(len(network.blocks)):
        block = f"blocks.{k}"
        layers |= {block: _ResidualBlock, f"{block}.norm": nn.LayerNorm}
        layers |= {f"{block}.inner": Linear, f"{block}.outer": Linear}
    heads = network.auxiliary_heads
    if type(heads) is AuxiliaryHeads:  # not asked in play
        layers |= {f"auxiliary_heads.{name}".rstrip("."): type(module) for name, module in heads.named_modules()}
    return layers


def computes_as_residual_mlp(network: PolicyValueNetwork) -> bool:
    """Whether calling the network does what `ResidualMLP.forward` does with stock layers, and nothing else.

    False for subclasses with a forward of their own, exchanged layers, hooks and parametrizations.
    """
    if not isinstance(network, ResidualMLP) or type(network).forward is not ResidualMLP.forward:
        return False
    if {name: type(module) for name, module in network.named_modules()} != _stock_layers(network):
        return False
    for module in network.modules():
        if "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks:
            return False
        if isinstance(module, nn.Linear | nn.LayerNorm) and (module.weight is None or module.bias is None):
            return False
    return len({module.eps for module in network.modules() if isinstance(module, nn.LayerNorm)}) == 1


def weights_of(network: ResidualMLP, dtype: torch.dtype | None = None) -> Weights:
    """The network's own parameters; copies only where `dtype` is given and is not theirs."""

    def affine(module: nn.Module) -> Affine:
        layer = cast(nn.Linear, module)  # a layer norm's two are called the same
        pair = layer.weight.detach(), layer.bias.detach()
        if dtype is not None and pair[0].dtype != dtype:
            return Affine(pair[0].to(dtype), pair[1].to(dtype))
        return Affine(layer.weight, layer.bias)

    blocks = [cast(_ResidualBlock, block) for block in network.blocks]
    return Weights(
        affine(network.stem),
        tuple(Block(affine(block.norm), affine(block.inner), affine(block.outer)) for block in blocks),
        affine(network.norm),
        affine(network.policy_head),
        affine(network.value_head[0]),
        affine(network.value_head[2]),
        network.norm.eps,
    )


def _plain_kernels() -> Kernels:
    return Kernels(
        lambda x, layer: F.linear(x, layer.weight, layer.bias),
        lambda x, layer: F.linear(x, layer.weight, layer.bias).relu_(),
        lambda x, y, layer: F.linear(x, layer.weight, layer.bias).add_(y),
    )


def _onednn_kernels() -> Kernels:
    """What torch.compile, too, calls for linear layers on a CPU."""
    unary = torch.ops.mkldnn._linear_pointwise.default
    binary = torch.ops.mkldnn._linear_pointwise.binary
    return Kernels(
        lambda x, layer: unary(x, layer.weight, layer.bias, "none", [], ""),
        lambda x, layer: unary(x, layer.weight, layer.bias, "relu", [], ""),
        lambda x, y, layer: binary(x, y, layer.weight, layer.bias, "add"),
    )


def kernels_for(device: torch.device, dtype: torch.dtype) -> Kernels:
    """The fastest kernels for weights of that dtype on that device."""
    return _onednn_kernels() if device.type == "cpu" and onednn_computes(dtype) else _plain_kernels()


def rows_a_pass(weights: Weights) -> int:
    """Most rows that `forward` takes through the layers at once on a CPU."""
    columns = max(len(weights.stem.bias), len(weights.value_hidden.bias))
    return max(_ROWS_FLOOR, _LAYER_BYTES // (columns * weights.stem.bias.element_size()))


def _pass(x: Tensor, weights: Weights, kernels: Kernels) -> tuple[Tensor, Tensor]:
    linear, linear_relu, linear_add = kernels
    eps = weights.eps
    x = linear(x, weights.stem)
    shape = x.shape[1:]
    for norm, inner, outer in weights.blocks:
        x = linear_add(linear_relu(torch.layer_norm(x, shape, *norm, eps), inner), x, outer)
    features = torch.layer_norm(x, shape, *weights.norm, eps).relu_()
    values = linear(linear_relu(features, weights.value_hidden), weights.value)
    return linear(features, weights.policy), values.tanh_()


def forward(observations: Tensor, weights: Weights, kernels: Kernels) -> tuple[Tensor, Tensor]:
    """`ResidualMLP.forward` under `torch.inference_mode`.

    On an x86 CPU a row's result in fp32 is the same bits whatever rows go with it.

    Args:
        observations: [m, OBSERVATION_SIZE] on the weights' device, any floating dtype.
        weights: of the network.
        kernels: of `kernels_for` the weights.

    Returns:
        logits [m, A] and values [m], of the weights' dtype.
    """
    x = observations.to(weights.stem.weight.dtype)
    rows = len(x)
    if not x.is_cpu:
        logits, values = _pass(x, weights, kernels)
    elif rows == 1:  # the product of a matrix and a vector sums in another order
        logits, values = (part[:1] for part in _pass(x.repeat(2, 1), weights, kernels))
    elif rows <= (limit := rows_a_pass(weights)):
        logits, values = _pass(x, weights, kernels)
    else:
        parts = [_pass(part, weights, kernels) for part in x.tensor_split(-(-rows // limit))]
        logits, values = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return logits, values.squeeze(-1)
