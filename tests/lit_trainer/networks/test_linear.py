"""The fast linear layer is torch's own, in values and in gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from lit_trainer.networks.linear import Linear


def both(rows: int, bias: bool = True, seed: int = 0) -> tuple[Linear, nn.Linear, Tensor, Tensor]:
    """Returns the layer, torch's with its weights in double precision, an input, and a gradient of the output."""
    torch.manual_seed(seed)
    layer = Linear(37, 19, bias=bias)
    exact = nn.Linear(37, 19, bias=bias, dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    return layer, exact, torch.randn(rows, 37), torch.randn(rows, 19)


def close(found: Tensor | None, wanted: Tensor | None) -> None:
    assert found is not None
    assert wanted is not None
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [0, 1, 2, 33, 1024])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_double_precision(rows: int, bias: bool) -> None:
    layer, exact, x, gradient = both(rows, bias)
    mine, theirs = x.clone().requires_grad_(), x.double().requires_grad_()
    out, wanted = layer(mine), exact(theirs)
    close(out, wanted)
    out.backward(gradient)
    wanted.backward(gradient.double())
    close(mine.grad, theirs.grad)
    for parameter, reference in zip(layer.parameters(), exact.parameters(), strict=True):
        close(parameter.grad, reference.grad)
    with torch.no_grad():
        close(layer(x), wanted)


def test_inputs_that_do_not_lie_in_rows() -> None:
    layer, exact, _, _ = both(2)
    x = torch.randn(37, 64).t()[::2]
    out, wanted = layer(x), exact(x.double())
    close(out, wanted)
    # the gradient of a sum is one number, expanded
    out.sum().backward()
    wanted.sum().backward()
    close(layer.weight.grad, exact.weight.grad)
    close(layer(x.reshape(4, 8, 37)).reshape(32, 19), wanted)


@pytest.mark.parametrize("frozen", ["weight", "bias", "input"])
def test_what_is_frozen_gets_no_gradient(frozen: str) -> None:
    layer, exact, x, gradient = both(8)
    for module in (layer, exact):
        if frozen != "input":
            getattr(module, frozen).requires_grad_(False)
    x.requires_grad_(frozen != "input")
    layer(x).backward(gradient)
    reference = x.detach().double().requires_grad_(frozen != "input")
    exact(reference).backward(gradient.double())
    grads = {"weight": layer.weight.grad, "bias": layer.bias.grad, "input": x.grad}
    wanted = {"weight": exact.weight.grad, "bias": exact.bias.grad, "input": reference.grad}
    assert grads.pop(frozen) is None
    for name, grad in grads.items():
        close(grad, wanted[name])


def test_other_precisions_are_torchs_own() -> None:
    layer, _, x, _ = both(8)
    plain = nn.Linear(37, 19)
    plain.load_state_dict(layer.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
        assert out.dtype == torch.bfloat16
        torch.testing.assert_close(out, plain(x))
    double = copy.deepcopy(layer).double()
    assert torch.autograd.gradcheck(double, x.double().requires_grad_())
    with pytest.raises(RuntimeError, match="dtype"):
        layer(x.double())


def test_learning_repeats_bit_for_bit() -> None:
    def learned() -> list[Tensor]:
        layer, _, x, gradient = both(1024)
        optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-2)
        for _ in range(5):
            optimizer.zero_grad()
            layer(x).backward(gradient)
            optimizer.step()
        return list(layer.parameters())

    assert all(torch.equal(a, b) for a, b in zip(learned(), learned(), strict=True))
