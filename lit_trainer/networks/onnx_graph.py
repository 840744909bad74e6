"""Writes networks as ONNX graphs from their weights: a `ResidualMLP` in fp32 or int8, others in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.kernels import Affine
from lit_trainer.networks.residual_mlp import ResidualMLP, computes_as_residual_mlp, weights_of

Floats = NDArray[np.float32]
_MICROSOFT = "com.microsoft"  # onnxruntime's own operators
INPUT, CONDITION, LOGITS, VALUE = "observations", "condition", "logits", "value"
"""Names of a graph's inputs and outputs. Only networks that can be told something have the second input."""
_BATCH = "batch"
_IR_VERSION, _OPSET = 9, 17  # the oldest with LayerNormalization, so that old versions of onnxruntime read it, too


def weight_limit() -> int:
    """Returns the largest size of an int8 weight.

    It is 127, or 63 on processors without VNNI, where sums of two products would saturate at 16 bits.
    """
    has_vnni = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    return 127 if has_vnni() else 63


def quantized(weight: Floats, limit: int) -> tuple[NDArray[np.int8], Floats]:
    """Returns a matrix [outputs, inputs] as int8 in -limit to limit, and each row's scale, float32 [outputs]."""
    scale = np.abs(weight).max(axis=1) / np.float32(limit)
    scale[scale == 0.0] = 1.0
    return np.rint(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)


class Graph:
    """Collects nodes and constants. Every method that adds a node returns the name of its output.

    Args:
        int8: Whether linear layers are in int8. A call of `linear` can keep one layer in fp32.
    """

    def __init__(self, int8: bool) -> None:
        self.int8 = int8
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, values: Tensor) -> str:
        return self.constant(values.detach().float().cpu().numpy())

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def number(self, value: float) -> str:
        return self.constant(np.array(value, dtype=np.float32))

    def node(self, operator: str, inputs: list[str], output: str = "", domain: str = "", **attributes: Any) -> str:
        output = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def split(self, x: str, sizes: list[int], outputs: list[str]) -> None:
        self.nodes.append(helper.make_node("Split", [x, self.integers(*sizes)], outputs, axis=-1))

    def linear(self, x: str, layer: Affine, output: str = "", int8: bool = True) -> str:
        if not (self.int8 and int8):
            return self.node("Gemm", [x, self.weight(layer.weight), self.weight(layer.bias)], output, transB=1)
        whole, scale = quantized(layer.weight.detach().float().cpu().numpy(), weight_limit())
        inputs = [x, self.constant(whole.T), self.constant(scale), "", self.weight(layer.bias)]
        return self.node("DynamicQuantizeMatMul", inputs, output, domain=_MICROSOFT)

    def norm(self, x: str, layer: Affine, eps: float) -> str:
        return self.node("LayerNormalization", [x, *map(self.weight, layer)], axis=-1, epsilon=eps)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def heads(self, features: str, policy: Affine, value_hidden: Affine, value: Affine) -> None:
        """Adds the two outputs from features [batch, width]. The last layer of the value is never in int8."""
        self.linear(features, policy, LOGITS)
        scalar = self.linear(self.relu(self.linear(features, value_hidden)), value, int8=False)
        self.node("Reshape", [self.node("Tanh", [scalar]), self.integers(-1)], VALUE)

    def serialized(self, name: str, network: PolicyValueNetwork, metadata: Mapping[str, str]) -> bytes:
        """Returns the model's bytes. `heads` must have added its outputs before."""

        def described(name: str, doc: str, *columns: int) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [_BATCH, *columns], doc)

        inputs = [described(INPUT, "what the player to move may know", network.observation_size)]
        if network.condition_size:
            told = "what the network is told of the opponent; zeros: unknown"
            inputs.append(described(CONDITION, told, network.condition_size))
        logits = "policy logits of all actions; those of illegal actions mean nothing"
        body = helper.make_graph(
            self.nodes,
            name,
            inputs,
            [
                described(LOGITS, logits, network.num_actions),
                described(VALUE, "expected outcome for the player to move: 1 a win, 0 a draw, -1 a loss"),
            ],
            self.constants,
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        if self.int8:
            opsets.append(helper.make_opsetid(_MICROSOFT, 1))
        model = helper.make_model(body, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="lit-alphazero")
        helper.set_model_props(model, dict(metadata))
        return bytes(model.SerializeToString())


def residual_mlp_graph(
    network: PolicyValueNetwork, int8: bool, metadata: Mapping[str, str] | None = None
) -> bytes | None:
    """Returns a `ResidualMLP` as a graph, None for a network that computes something else.

    The graph takes ``observations`` float32 [B, OBSERVATION_SIZE] to ``logits`` float32 [B, A] and ``value`` [B]. If
    the network can be told something, it takes ``condition`` float32 [B, condition_size] too.

    Args:
        network: The network. Its weights may be on any device and of any floating dtype.
        int8: Whether weights are in int8 with a scale per output (per channel), and activations in uint8 with a range
            that every call finds over the whole batch (dynamic quantization). The last layer of the value and the
            condition's stay in fp32.
        metadata: Kept in the model's ``metadata_props``. None: nothing.
    """
    if not (isinstance(network, ResidualMLP) and computes_as_residual_mlp(network)):
        return None
    weights = weights_of(network)
    graph = Graph(int8)
    x = graph.linear(INPUT, weights.stem)
    if weights.condition is not None:
        x = graph.node("Add", [x, graph.linear(CONDITION, weights.condition, int8=False)])
    for norm, inner, outer in weights.blocks:
        hidden = graph.relu(graph.linear(graph.norm(x, norm, weights.eps), inner))
        x = graph.node("Add", [x, graph.linear(hidden, outer)])
    features = graph.relu(graph.norm(x, weights.norm, weights.eps))
    graph.heads(features, weights.policy, weights.value_hidden, weights.value)
    return graph.serialized("residual_mlp", network, metadata or {})
