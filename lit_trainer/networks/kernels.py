"""Holds the fastest linear layers of a processor, and how many rows they take at once.

On x86 the linear layers go to oneDNN, which adds the bias, the ReLU or the residual within the matrix product and
uses AVX-512 on every vendor's processors; `torch.mm` and `nn.Linear` in fp32 go to MKL, which does not
(docs/benchmarks.md, "Evaluators", has what was measured).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_trainer.networks.linear import onednn_computes

# The most bytes that a layer's activations take. glibc's malloc fetches larger blocks from the system and returns them
# each time, and their page faults cost up to a quarter of the time. Fewer rows than the floor would read the weights of
# a wide network too often.
_LAYER_BYTES = 2**19
_ROWS_FLOOR = 256

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Rows [m, OBSERVATION_SIZE + condition_size] to logits [m, A] and values [m]."""


class Affine(NamedTuple):
    """Holds weight and bias of a linear layer, or of a layer norm."""

    weight: Tensor
    bias: Tensor


class Kernels(NamedTuple):
    """Holds three linear layers: alone, followed by a ReLU, and with a tensor added."""

    linear: Callable[[Tensor, Affine], Tensor]
    linear_relu: Callable[[Tensor, Affine], Tensor]
    linear_add: Callable[[Tensor, Tensor, Affine], Tensor]


def _plain_kernels() -> Kernels:
    return Kernels(
        lambda x, layer: F.linear(x, layer.weight, layer.bias),
        lambda x, layer: F.linear(x, layer.weight, layer.bias).relu_(),
        lambda x, y, layer: F.linear(x, layer.weight, layer.bias).add_(y),
    )


def _onednn_kernels() -> Kernels:
    # torch.compile calls these for linear layers on a CPU, too
    unary = torch.ops.mkldnn._linear_pointwise.default
    binary = torch.ops.mkldnn._linear_pointwise.binary
    return Kernels(
        lambda x, layer: unary(x, layer.weight, layer.bias, "none", [], ""),
        lambda x, layer: unary(x, layer.weight, layer.bias, "relu", [], ""),
        lambda x, y, layer: binary(x, y, layer.weight, layer.bias, "add"),
    )


def kernels_for(device: torch.device, dtype: torch.dtype) -> Kernels:
    """Returns the fastest kernels for weights of a dtype on a device."""
    return _onednn_kernels() if device.type == "cpu" and onednn_computes(dtype) else _plain_kernels()


def rows_at_once(columns: int, element_size: int) -> int:
    """Returns the number of rows that a CPU should take through a network's layers at once.

    Args:
        columns: Width of the widest layer.
        element_size: Bytes per number.
    """
    return max(_ROWS_FLOOR, _LAYER_BYTES // (columns * element_size))


def in_passes(x: Tensor, rows_at_once: int, run: Forward) -> tuple[Tensor, Tensor]:
    """Returns what `run` returns for all rows. A CPU takes them through the layers in passes of a few rows.

    On an x86 CPU a row's result in fp32 does not depend on the other rows, to the last bit.

    Args:
        x: Rows, the network's input.
        rows_at_once: The most rows per call of `run` on a CPU.
        run: Takes rows through all layers. Both results have a row per row of `x`.
    """
    rows = len(x)
    if not x.is_cpu:
        logits, values = run(x)
    elif rows == 1:  # the product of a matrix and a vector sums in another order
        logits, values = (part[:1] for part in run(x.repeat(2, 1)))
    elif rows <= rows_at_once:
        logits, values = run(x)
    else:
        parts = [run(part) for part in x.tensor_split(-(-rows // rows_at_once))]
        logits, values = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return logits, values
