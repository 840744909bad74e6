"""`lit-trainer export`: a checkpoint's network as files that other programs read, and a card that says what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.safetensors import metadata_of, weights_as_safetensors
from lit_trainer.measuring.positions import POSITIONS, sample_positions
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.transformer import TransformerNetwork
from lit_trainer.reporting.measurement_report import read_record
from lit_trainer.reporting.model_card import CARD, ONNX, SAFETENSORS, Exported, model_card
from lit_trainer.utils.files import check_free, write_folder

NEEDS = "export needs: pip install 'lit-alphazero[onnx,safetensors]'"
TOLERANCE = 1e-3
"""Largest difference from torch with which a graph is written; rounding alone makes about 1e-5."""


def export(ckpt_path: str, out: Path, test_json: Path | None = None, license: str = "MIT") -> None:
    """Write a checkpoint's network into a folder as model.onnx and model.safetensors, with a model card, README.md.

    Args:
        ckpt_path: the checkpoint.
        out: folder to make; one that has files in it is left alone.
        test_json: what `lit-trainer test` has measured of the checkpoint, for the card.
        license: of the weights, for the card.

    Raises:
        ValueError: the checkpoint or the measurement is no good, or the network is of a class that has no graph.
        FileNotFoundError: a file is not there.
        FileExistsError: something other than an empty folder is at `out`.
        ModuleNotFoundError: without the packages of the extras ``onnx`` and ``safetensors``.
    """
    check_free(out, "out")
    checkpoint = Checkpoint.read(ckpt_path)
    network, iteration = checkpoint.network, checkpoint.iteration
    measured = None if test_json is None else read_record(test_json, network, iteration)
    metadata = metadata_of(network, iteration)
    graph = network_as_onnx(network, metadata)
    weights = weights_as_safetensors(network, metadata)
    exported = Exported(checkpoint, Path(ckpt_path), difference_from_torch(graph, network))
    write_folder(out, {ONNX: graph, SAFETENSORS: weights, CARD: model_card(exported, measured, license)}, "out")
    print(f"Written: {out / ONNX}, {out / SAFETENSORS}, {out / CARD}")


def network_as_onnx(network: PolicyValueNetwork, metadata: Mapping[str, str]) -> bytes:
    """The network in fp32: ``observations`` float32 [B, OBSERVATION_SIZE] to ``logits`` [B, A] and ``value`` [B].

    Args:
        network: a `ResidualMLP` or a `TransformerNetwork`; auxiliary heads are left out.
        metadata: kept in the model's ``metadata_props``.

    Raises:
        ValueError: for a network that computes something else.
        ModuleNotFoundError: without the packages of the extra ``onnx``.
    """
    try:
        from lit_trainer.networks.onnx_graph import residual_mlp_graph
        from lit_trainer.networks.onnx_transformer import serialized_transformer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}; {NEEDS}") from None
    if (graph := residual_mlp_graph(network, int8=False, metadata=metadata)) is not None:
        return graph
    if type(network) is TransformerNetwork:
        return serialized_transformer(network, metadata)
    raise ValueError(
        f"network: {type(network).__name__} given, expected a ResidualMLP or a TransformerNetwork with its own layers"
    )


def difference_from_torch(graph: bytes, network: PolicyValueNetwork) -> float:
    """The largest difference of a logit or value, graph by onnxruntime against network by torch, on random games.

    Raises:
        ValueError: it is larger than rounding explains, or not a number: the weights have diverged.
        ModuleNotFoundError: without the packages of the extra ``onnx``.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}; {NEEDS}") from None
    from lit_trainer.networks.onnx_graph import INPUT, LOGITS, VALUE

    observations = sample_positions(network.game, POSITIONS, seed=1).observe()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run((LOGITS, VALUE), {INPUT: observations})
    with torch.inference_mode():
        expected = [part.numpy() for part in network(torch.from_numpy(observations))]
    largest = max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(found, expected, strict=True))
    if not largest <= TOLERANCE:
        raise ValueError(
            f"network: torch and ONNX differ by {largest:.3g}, expected {TOLERANCE:g} at most; weights that diverged?"
        )
    return largest
