"""Kernels: the fused layers are taken, and rows in passes give what all rows at once give."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import Tensor

from lit_trainer.networks.kernels import Affine, in_passes, kernels_for, rows_at_once

x86 = pytest.mark.skipif(
    platform.machine() != "x86_64" or not torch.backends.mkldnn.is_available(), reason="of oneDNN on x86"
)


@x86
def test_fp32_on_x86_takes_the_fused_layers() -> None:
    """Fails if torch has renamed the fused layers, which would silently halve the speed."""
    assert "_onednn_kernels" in kernels_for(torch.device("cpu"), torch.float32).linear.__qualname__


def test_the_three_layers_compute_what_plain_arithmetic_does() -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias, y = (torch.randn(size, generator=generator) for size in ((9, 7), (5, 7), (5,), (9, 5)))
    linear, linear_relu, linear_add = kernels_for(torch.device("cpu"), torch.float32)
    expected = (x.double() @ weight.double().T + bias.double()).float()
    layer = Affine(weight, bias)
    torch.testing.assert_close(linear(x, layer), expected)
    torch.testing.assert_close(linear_relu(x, layer), expected.clamp(min=0))
    torch.testing.assert_close(linear_add(x, y.clone(), layer), expected + y)


@pytest.mark.parametrize("rows", [1, 2, 4, 5, 11])
def test_passes_keep_all_rows_in_their_order(rows: int) -> None:
    taken = []

    def run(part: Tensor) -> tuple[Tensor, Tensor]:
        taken.append(len(part))
        return 2 * part, part.sum(dim=1)

    x = torch.arange(3.0 * rows).reshape(rows, 3)
    logits, values = in_passes(x, 4, run)
    assert torch.equal(logits, 2 * x) and torch.equal(values, x.sum(dim=1))
    assert min(taken) >= 2 and max(taken) <= 4


def test_wide_layers_take_fewer_rows_at_once() -> None:
    assert rows_at_once(64, 4) == 2048
    assert rows_at_once(256, 2) == 1024
    assert rows_at_once(16_384, 4) == 256
