"""Exported networks: the files compute what the checkpoint does, the card is right, and nothing is overwritten."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from support.cli_tools import ROOT, run

from lit_trainer import PolicyValueNetwork, ResidualMLP, TransformerNetwork, load_network
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.safetensors import metadata_of, weights_as_safetensors
from lit_trainer.cli.export import difference_from_torch, network_as_onnx
from lit_trainer.utils.files import write_folder
from sim_core import ACTIONS, OBSERVATION_SIZE, GameBatch

SHIPPED = ROOT / "checkpoints" / "iter600.ckpt"


def positions(game: str = "beasty_bar") -> np.ndarray:
    """Returns observations of all turns of games between built-in opponents, float32 [m, OBSERVATION_SIZE]."""
    batch = GameBatch(12, 7, game=game)
    observations = []
    while not batch.is_terminal.all():
        batch = batch.take(np.flatnonzero(~batch.is_terminal))
        observations.append(batch.observe())
        names = ("random", "outcome_heuristic" if game == "beasty_bar" else "tactical")
        batch.step(batch.opponent_actions(names[len(observations) % 2], 3).astype(np.int64))
    return np.concatenate(observations)


def by_torch(network: PolicyValueNetwork, *inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        logits, value = network.eval()(*map(torch.from_numpy, inputs))
    return logits.numpy(), value.numpy()


def by_onnx(graph: bytes, *inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    logits, value = session.run(["logits", "value"], dict(zip(("observations", "condition"), inputs, strict=False)))
    return logits, value


def drawn(network: PolicyValueNetwork) -> PolicyValueNetwork:
    """Returns the network with no weight at zero, which would hide what is connected to it."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


# ---------------------------------------------------------------------- the files compute what the checkpoint does


def test_onnx_and_safetensors_compute_what_the_checkpoint_does(exported: Path) -> None:
    observations = positions()
    assert observations.shape == (12 * 24, OBSERVATION_SIZE)
    expected = by_torch(Checkpoint.read(SHIPPED).network, observations)
    assert expected[0].std() > 1 and expected[1].std() > 0.3  # a player, not noise
    graph = (exported / "model.onnx").read_bytes()
    for rows in (len(observations), 1, 0):
        for found, wanted in zip(by_onnx(graph, observations[:rows]), expected, strict=True):
            assert found.dtype == np.float32 and found.shape == wanted[:rows].shape
            np.testing.assert_allclose(found, wanted[:rows], rtol=1e-4, atol=1e-4)
    for found, wanted in zip(
        by_torch(load_network(exported / "model.safetensors"), observations), expected, strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "network",
    [
        TransformerNetwork(width=24, layers=2, heads=3, auxiliary=True),
        TransformerNetwork("connect_four", width=16, layers=1, heads=2),
        ResidualMLP("connect_four", width=16, blocks=2, auxiliary=True),
    ],
    ids=["transformer", "transformer of connect four", "residual of connect four"],
)
def test_every_network_of_the_library(network: PolicyValueNetwork, tmp_path: Path) -> None:
    """Attention scaled or turned wrongly, or a graph for one number of rows alone."""
    metadata = metadata_of(drawn(network), 3)
    graph = network_as_onnx(network, metadata)
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    observations = positions(network.game)
    expected = by_torch(network, observations)
    for found, wanted in zip(by_onnx(graph, observations), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    (tmp_path / "a.safetensors").write_bytes(weights_as_safetensors(network, metadata))
    loaded = load_network(tmp_path / "a.safetensors")
    assert loaded.config == network.config and not loaded.training
    np.testing.assert_array_equal(by_torch(loaded, observations)[0], expected[0])


@pytest.mark.parametrize("kind", ["opponent", "belief"])
def test_a_condition_is_the_graphs_second_input(kind: Literal["opponent", "belief"]) -> None:
    """Fails if the graph leaves the condition out, or adds it elsewhere than the network does."""
    network = drawn(ResidualMLP(width=16, blocks=1, condition=kind))
    graph = network_as_onnx(network, metadata_of(network, 3))
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    assert difference_from_torch(graph, network) < 1e-4
    observations = positions()
    condition = np.random.default_rng(2).random((len(observations), network.condition_size), dtype=np.float32)
    for told in (condition, np.zeros_like(condition)):
        for found, wanted in zip(
            by_onnx(graph, observations, told), by_torch(network, observations, told), strict=True
        ):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert np.abs(by_onnx(graph, observations, condition)[0] - by_torch(network, observations)[0]).max() > 0.01


def test_the_graph_says_what_it_takes_and_gives(exported: Path) -> None:
    model = onnx.load(exported / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [opset.domain for opset in model.opset_import] == [""]  # any runtime reads it
    shapes = {
        part.name: [axis.dim_param or axis.dim_value for axis in part.type.tensor_type.shape.dim]
        for part in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "observations": ["batch", OBSERVATION_SIZE],
        "logits": ["batch", len(ACTIONS)],
        "value": ["batch"],
    }
    assert all(part.doc_string for part in (*model.graph.input, *model.graph.output))
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert (said["game"], said["iteration"], said["actions"].split()) == ("beasty_bar", "600", list(ACTIONS))


def test_networks_without_a_graph_are_refused() -> None:
    class Doubled(ResidualMLP):
        def forward(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits, value = super().forward(observations)
            return 2 * logits, value

    with pytest.raises(ValueError, match="Doubled given, expected a ResidualMLP or a TransformerNetwork"):
        network_as_onnx(Doubled(width=8, blocks=1), {})


def test_a_graph_that_computes_something_else_is_refused() -> None:
    """Fails if the check of a graph, which runs before it is written, accepts one that computes something else."""
    network = drawn(ResidualMLP(width=8, blocks=1))
    other = copy.deepcopy(network)
    graph = network_as_onnx(network, {})
    assert difference_from_torch(graph, network) < 1e-4
    with torch.no_grad():
        other.policy_head.bias[3] += 0.01
    with pytest.raises(ValueError, match=r"differ by 0\.01"):
        difference_from_torch(graph, other)
    with torch.no_grad():
        network.stem.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="diverged"):
        difference_from_torch(network_as_onnx(network, {}), network)


# ---------------------------------------------------------------------- nothing overwritten, nothing half done


def refusal(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """Returns the one line that the command ends in."""
    with pytest.raises(SystemExit) as stopped:
        run("export", *flags)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert len(re.findall(r"^error: ", message, re.MULTILINE)) == 1 and "Traceback" not in message
    return message.splitlines()[-1]


def test_what_is_there_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    message = refusal(capsys, f"--ckpt_path={SHIPPED}", f"--out={tmp_path / 'full'}")
    assert "out: " in message and "a folder with files in it" in message
    assert "a file" in refusal(capsys, f"--ckpt_path={SHIPPED}", f"--out={tmp_path / 'full' / 'mine'}")
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine"]
    write_folder(tmp_path / "empty", {}, "out")
    write_folder(tmp_path / "empty", {"a": "text", "b": b"bytes"}, "out")
    assert [(tmp_path / "empty" / name).read_bytes() for name in "ab"] == [b"text", b"bytes"]


@pytest.mark.parametrize("fault", ["missing", "truncated", "something else", "no loops"])
def test_a_checkpoint_that_is_no_good(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.ckpt"
    if fault == "no loops":
        torch.save({key: value for key, value in torch.load(SHIPPED).items() if key != "loops"}, path)
    elif fault != "missing":
        path.write_bytes(SHIPPED.read_bytes()[:100_000] if fault == "truncated" else b"hello")
    message = refusal(capsys, f"--ckpt_path={path}", f"--out={tmp_path / 'out'}")
    assert "ckpt_path: " in message and "bad.ckpt" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "safetensors"])
def test_without_an_extra_it_says_what_to_install(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [
        name for name in sys.modules if name.split(".")[0] == package or name.startswith("lit_trainer.networks.onnx_")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # what Python does for a package that is not there
    message = refusal(capsys, f"--ckpt_path={SHIPPED}", f"--out={tmp_path / 'out'}")
    assert package in message and "pip install 'lit-alphazero[" in message
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------- the example


STRANGER = """
import runpy, sys
script, model = sys.argv[1:]
for seed in "12345":
    sys.argv = [script, model, seed]
    runpy.run_path(script)
assert not {"torch", "lightning", "lit_trainer", "onnx"} & set(sys.modules)
"""


@pytest.fixture
def conditioned(tmp_path: Path) -> Path:
    """Returns the shipped player's graph, made a network that can be told who it plays and has not learned to mind."""
    network = ResidualMLP(condition="opponent")
    Checkpoint.read(SHIPPED).load_into(network)
    (tmp_path / "model.onnx").write_bytes(network_as_onnx(network, metadata_of(network, 600)))
    return tmp_path


@pytest.mark.parametrize("folder", ["exported", "conditioned"])
def test_the_example_plays_with_onnxruntime_and_the_engine_alone(
    folder: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    model = request.getfixturevalue(folder) / "model.onnx"
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, ROOT / "docs/examples/play_onnx.py", model],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.startswith("network plays") for line in lines) == 5 * 12
    assert sum(line.startswith("opponent plays") for line in lines) == 5 * 12
    points = re.findall(r"^(\d+) to (\d+) points for the network$", done.stdout, re.MULTILINE)
    # nine of ten on average; with the other's view, or logits of other actions, it would win few
    assert len(points) == 5 and sum(int(own) > int(other) for own, other in points) >= 3
