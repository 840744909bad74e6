"""ONNX graphs: quantized weights are close to the weights, and the graph names its parts."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from lit_trainer import ResidualMLP, TransformerNetwork
from lit_trainer.networks.onnx_graph import quantized, residual_mlp_graph


@pytest.mark.parametrize("limit", [63, 127])
def test_quantized_weights_are_within_half_a_step(limit: int) -> None:
    weight = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32) * [[1], [10], [0.1], [0], [3], [1e-9]]
    whole, scale = quantized(weight.astype(np.float32), limit)
    assert whole.dtype == np.int8 and scale.dtype == np.float32 and scale.shape == (6,)
    assert np.abs(whole).max(axis=1).tolist() == [limit, limit, limit, 0, limit, limit]
    assert (np.abs(whole * scale[:, None] - weight) <= scale[:, None] * 0.501).all()


@pytest.mark.parametrize("int8", [False, True])
def test_only_int8_needs_the_operators_of_one_runtime(int8: bool) -> None:
    graph = residual_mlp_graph(ResidualMLP(width=8, blocks=1), int8, {"game": "beasty_bar"})
    assert graph is not None
    model = onnx.load_from_string(graph)
    assert [opset.domain for opset in model.opset_import] == (["", "com.microsoft"] if int8 else [""])
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("game", "beasty_bar")]
    assert ("DynamicQuantizeMatMul" in {node.op_type for node in model.graph.node}) == int8


def test_another_network_has_no_graph_of_a_residual_mlp() -> None:
    assert residual_mlp_graph(TransformerNetwork(width=16, layers=1, heads=4), int8=False) is None
