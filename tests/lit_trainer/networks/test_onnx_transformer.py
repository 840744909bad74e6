"""The transformer's ONNX graph computes what torch does, for any number of rows."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from lit_trainer import TransformerNetwork
from lit_trainer.networks.onnx_transformer import serialized_transformer
from sim_core import GameBatch


@pytest.mark.parametrize("rows", [0, 1, 40])
def test_the_graph_computes_what_torch_does(rows: int) -> None:
    torch.manual_seed(0)
    network = TransformerNetwork(width=24, layers=2, heads=3).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))  # no weight stays zero and hides what it connects
    graph = serialized_transformer(network, {})
    assert graph == serialized_transformer(network, {})
    observations = GameBatch(40, 1).observe()[:rows]
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run(["logits", "value"], {"observations": observations})
    with torch.no_grad():
        expected = network(torch.from_numpy(observations))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)
