"""The residual perceptron's fast pass is used only where it computes what the forward does."""

from __future__ import annotations

import torch

from lit_trainer import ResidualMLP
from lit_trainer.networks.base import AuxiliaryHeads
from lit_trainer.networks.residual_mlp import computes_as_residual_mlp


def mlp(auxiliary: bool = True) -> ResidualMLP:
    torch.manual_seed(0)
    return ResidualMLP(width=24, blocks=1, auxiliary=auxiliary)


def test_heads_that_are_not_stock_leave_the_fast_pass() -> None:
    class Other(AuxiliaryHeads):
        pass

    network = mlp()
    network.auxiliary_heads = Other("beasty_bar", 24)
    assert not computes_as_residual_mlp(network)


def test_a_new_block_changes_nothing() -> None:
    """Its outer layer begins at zero, so that a deep network begins as a shallow one, and learns as well."""
    network = ResidualMLP(width=24, blocks=3)
    x = torch.randn(5, 24)
    for block in network.blocks:
        assert torch.equal(block(x), x)
        assert block.inner.weight.abs().min() > 0
