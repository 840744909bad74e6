"""Defines `lit-trainer export`: it writes a checkpoint's network for other programs, with a card that describes it."""

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
"""Largest allowed difference between a graph and torch. Rounding alone makes about 1e-5."""


def export(ckpt_path: str, out: Path, test_json: Path | None = None, license: str = "MIT") -> None:
    """Writes a checkpoint's network into a folder as model.onnx and model.safetensors, with a model card, README.md.

    Args:
        ckpt_path: Path of the checkpoint.
        out: Folder to make. A folder with files in it is never changed.
        test_json: File in which `lit-trainer test` wrote what it measured of the checkpoint, for the card. None: the
            card says that it was not measured.
        license: License of the weights, for the card. Default: MIT.

    Raises:
        ValueError: The checkpoint or the measurement is invalid, or the network's class cannot be written as a graph.
        FileNotFoundError: A file is missing.
        FileExistsError: `out` is something other than an empty folder.
        ModuleNotFoundError: The packages of the extras ``onnx`` and ``safetensors`` are missing.
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
    """Returns the network as an ONNX graph in fp32.

    The graph takes ``observations`` float32 [B, OBSERVATION_SIZE] to ``logits`` [B, A] and ``value`` [B]. If the
    network can be told something, it takes ``condition`` float32 [B, condition_size] too.

    Args:
        network: A `ResidualMLP` or a `TransformerNetwork`. Auxiliary heads are left out.
        metadata: Kept in the model's ``metadata_props``.

    Raises:
        ValueError: The network computes something else.
        ModuleNotFoundError: The packages of the extra ``onnx`` are missing.
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
    """Returns the largest difference of a logit or value between the graph and the network, on random games.

    The graph runs in onnxruntime and the network in torch.

    Raises:
        ValueError: The difference is larger than rounding explains, or not a number because the weights have diverged.
        ModuleNotFoundError: The packages of the extra ``onnx`` are missing.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}; {NEEDS}") from None
    from lit_trainer.networks.onnx_graph import CONDITION, INPUT, LOGITS, VALUE

    inputs = {INPUT: sample_positions(network.game, POSITIONS, seed=1).observe()}
    if network.condition_size:
        shape = POSITIONS, network.condition_size
        inputs[CONDITION] = np.random.default_rng(1).random(shape, dtype=np.float32)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run((LOGITS, VALUE), inputs)
    with torch.inference_mode():
        expected = [part.numpy() for part in network(*map(torch.from_numpy, inputs.values()))]
    largest = max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(found, expected, strict=True))
    if not largest <= TOLERANCE:
        raise ValueError(
            f"network: torch and ONNX differ by {largest:.3g}, expected {TOLERANCE:g} at most; weights that diverged?"
        )
    return largest
