"""A `ResidualMLP` as an ONNX graph, in fp32 or with int8 matrix products, written from its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lit_trainer.inference import Affine, Weights

Floats = NDArray[np.float32]
_MICROSOFT = "com.microsoft"  # onnxruntime's own operators
_IR_VERSION, _OPSET = 9, 17  # the oldest with LayerNormalization: every onnxruntime of the last years reads it


def weight_limit() -> int:
    """Largest size of an int8 weight: 127, or 63 where sums of two products would saturate at 16 bits (no VNNI)."""
    has_vnni = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    return 127 if has_vnni() else 63


def quantized(weight: Floats, limit: int) -> tuple[NDArray[np.int8], Floats]:
    """Rows of a matrix [outputs, inputs] as int8 in -limit to limit, and each row's scale float32 [outputs]."""
    scale = np.abs(weight).max(axis=1) / np.float32(limit)
    scale[scale == 0.0] = 1.0
    return np.rint(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)


class _Graph:
    """Nodes and constants in the making; every method returns its output's name."""

    def __init__(self, int8: bool) -> None:
        self.int8 = int8
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str = "", domain: str = "", **attributes: Any) -> str:
        output = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def linear(self, x: str, layer: Affine, output: str = "", int8: bool = True) -> str:
        weight, bias = (np.asarray(part.detach().float().cpu()) for part in layer)
        if not (self.int8 and int8):
            return self.node("Gemm", [x, self.constant(weight), self.constant(bias)], output, transB=1)
        whole, scale = quantized(weight, weight_limit())
        inputs = [x, self.constant(whole.T), self.constant(scale), "", self.constant(bias)]
        return self.node("DynamicQuantizeMatMul", inputs, output, domain=_MICROSOFT)

    def norm(self, x: str, layer: Affine, eps: float) -> str:
        parts = [self.constant(part.detach().float().cpu().numpy()) for part in layer]
        return self.node("LayerNormalization", [x, *parts], axis=-1, epsilon=eps)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])


def serialized(weights: Weights, int8: bool) -> bytes:
    """The model: ``observations`` float32 [m, OBSERVATION_SIZE] to ``logits`` float32 [m, A], ``values`` float32 [m].

    Args:
        weights: of the network, on any device, of any floating dtype.
        int8: weights in int8 with a scale an output (per channel), activations in uint8 with a range found anew at
            every call over the whole batch (dynamic quantization); the last layer of the value stays in fp32.
    """
    graph = _Graph(int8)
    x = graph.linear("observations", weights.stem)
    for norm, inner, outer in weights.blocks:
        hidden = graph.relu(graph.linear(graph.norm(x, norm, weights.eps), inner))
        x = graph.node("Add", [x, graph.linear(hidden, outer)])
    features = graph.relu(graph.norm(x, weights.norm, weights.eps))
    graph.linear(features, weights.policy, "logits")
    value = graph.linear(graph.relu(graph.linear(features, weights.value_hidden)), weights.value, int8=False)
    graph.node("Reshape", [graph.node("Tanh", [value]), graph.constant(np.array([-1], dtype=np.int64))], "values")

    def described(name: str, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    body = helper.make_graph(
        graph.nodes,
        "residual_mlp",
        [described("observations", "m", weights.stem.weight.shape[1])],
        [described("logits", "m", len(weights.policy.bias)), described("values", "m")],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
    model = helper.make_model(body, opset_imports=opsets, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())
