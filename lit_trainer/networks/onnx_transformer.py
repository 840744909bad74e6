"""Writes a `TransformerNetwork` as an ONNX graph in fp32 from its weights, for any number of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from lit_trainer.networks.kernels import Affine
from lit_trainer.networks.onnx_graph import INPUT, Graph
from lit_trainer.networks.transformer import TransformerNetwork

# We write the graph ourselves because torch.onnx.export (torch 2.13) takes about 20 s and raises a FutureWarning.


def serialized_transformer(network: TransformerNetwork, metadata: Mapping[str, str]) -> bytes:
    """Returns the graph: ``observations`` float32 [B, OBSERVATION_SIZE] to ``logits`` [B, A] and ``value`` [B].

    Args:
        network: A `TransformerNetwork`, no subclass. Auxiliary heads are left out.
        metadata: Kept in the model's ``metadata_props``.
    """
    graph = Graph(int8=False)
    x = _tokens(graph, network)
    for layer in network.encoder.layers:
        x = _encoder_layer(graph, x, cast(nn.TransformerEncoderLayer, layer), len(network.part_sizes) + 1)
    summary = graph.node("Squeeze", [graph.node("Gather", [x, graph.integers(0)], axis=1), graph.integers(1)])
    features = _norm(graph, summary, network.norm)
    hidden, value = (_affine(cast(nn.Linear, network.value_head[k])) for k in (0, 2))
    graph.heads(features, _affine(network.policy_head), hidden, value)
    return graph.serialized("transformer", network, metadata)


def _affine(layer: nn.Linear | nn.LayerNorm) -> Affine:
    return Affine(layer.weight, layer.bias)


def _norm(graph: Graph, x: str, layer: nn.LayerNorm) -> str:
    return graph.norm(x, _affine(layer), layer.eps)


def _linear(graph: Graph, x: str, weight: Tensor, bias: Tensor) -> str:
    # works on the last axis, whatever axes come before it, because Gemm takes only matrices
    return graph.node("Add", [graph.node("MatMul", [x, graph.weight(weight.T)]), graph.weight(bias)])


def _tokens(graph: Graph, network: TransformerNetwork) -> str:
    """Adds the summary token and a token for each part of the observation [B, T, width]."""
    parts = [f"part{k}" for k in range(len(network.part_sizes))]
    graph.split(INPUT, network.part_sizes, parts)
    tokens = [
        graph.node("Unsqueeze", [graph.linear(part, _affine(cast(nn.Linear, embed))), graph.integers(1)])
        for part, embed in zip(parts, network.embeddings, strict=True)
    ]
    rows = graph.node("Shape", [INPUT], start=0, end=1)
    shape = graph.node("Concat", [rows, graph.integers(1, network.summary.shape[2])], axis=0)
    summary = graph.node("Expand", [graph.weight(network.summary), shape])
    return graph.node("Concat", [summary, *tokens], axis=1)


def _encoder_layer(graph: Graph, x: str, layer: nn.TransformerEncoderLayer, tokens: int) -> str:
    """Adds x + attention(norm(x)), then the same with two linear layers and a GELU."""
    x = graph.node("Add", [x, _attention(graph, _norm(graph, x, layer.norm1), layer.self_attn, tokens)])
    inner = _linear(graph, _norm(graph, x, layer.norm2), layer.linear1.weight, layer.linear1.bias)
    return graph.node("Add", [x, _linear(graph, _gelu(graph, inner), layer.linear2.weight, layer.linear2.bias)])


def _attention(graph: Graph, x: str, attention: nn.MultiheadAttention, tokens: int) -> str:
    """Adds scaled dot-product self-attention over all tokens [B, T, width]."""
    width, heads = attention.embed_dim, attention.num_heads
    assert attention.in_proj_weight is not None
    split = graph.integers(0, tokens, heads, width // heads)
    projected = []
    for k, order in enumerate(([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])):  # queries, keys turned, values
        rows = slice(k * width, (k + 1) * width)
        part = _linear(graph, x, attention.in_proj_weight[rows], attention.in_proj_bias[rows])
        projected.append(graph.node("Transpose", [graph.node("Reshape", [part, split])], perm=order))
    queries, keys, values = projected
    scores = graph.node("Mul", [graph.node("MatMul", [queries, keys]), graph.number(1 / math.sqrt(width // heads))])
    mixed = graph.node("MatMul", [graph.node("Softmax", [scores], axis=-1), values])
    joined = graph.node(
        "Reshape", [graph.node("Transpose", [mixed], perm=[0, 2, 1, 3]), graph.integers(0, tokens, width)]
    )
    return _linear(graph, joined, attention.out_proj.weight, attention.out_proj.bias)


def _gelu(graph: Graph, x: str) -> str:
    """Adds x Phi(x) by the error function, because the operator Gelu is younger than our opset."""
    curve = graph.node("Erf", [graph.node("Mul", [x, graph.number(math.sqrt(0.5))])])
    half = graph.node("Mul", [x, graph.number(0.5)])
    return graph.node("Mul", [half, graph.node("Add", [curve, graph.number(1.0)])])
