"""Provides a linear layer that learns faster on a CPU: its forward and backward pass go through oneDNN.

In fp32 torch's products go to MKL, which leaves half of an AMD processor idle (docs/benchmarks.md, "Learning").
"""

from __future__ import annotations

import platform
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def onednn_computes(dtype: torch.dtype) -> bool:
    """Returns whether this CPU and this torch have oneDNN's linear layers for a dtype. Torch keeps them private."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not available or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    operators = torch.ops.mkldnn
    if not hasattr(operators, "_linear_pointwise"):  # private to torch, so it may disappear
        return False
    if dtype == torch.bfloat16:
        return hasattr(operators, "_is_mkldnn_bf16_supported") and bool(operators._is_mkldnn_bf16_supported())
    return dtype == torch.float32


_FP32 = onednn_computes(torch.float32)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns ``x @ weight.T + bias``."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")
    return result


class _OneDnnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            _product(gradient, weight.t()) if wanted[0] else None,
            _product(gradient.t(), x.t()) if wanted[1] else None,
            gradient.sum(0) if wanted[2] else None,
        )


class Linear(nn.Linear):
    """Computes what `torch.nn.Linear` does, twice as fast for batches in fp32 on a CPU.

    Its gradients cannot be differentiated again.
    """

    def forward(self, input: Tensor) -> Tensor:
        fits = _FP32 and input.is_cpu and input.dim() == 2 and len(input) > 1
        if (
            not fits
            or not input.dtype == self.weight.dtype == torch.float32
            or torch.is_autocast_enabled("cpu")
            or torch.compiler.is_compiling()
        ):
            return F.linear(input, self.weight, self.bias)
        if torch.is_grad_enabled():
            result: Tensor = _OneDnnLinear.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]
            return result
        return _product(input, self.weight, self.bias)


class ZeroLinear(Linear):
    """Computes a linear layer without bias that starts at zero and draws no random numbers to start with.

    A network with such a layer starts as the network without it, to the last bit.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)

    def reset_parameters(self) -> None:
        """Sets all weights to zero."""
        nn.init.zeros_(self.weight)
