"""Networks in safetensors files: what is of something else is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lit_trainer import ResidualMLP, load_network
from lit_trainer.checkpoints.safetensors import metadata_of, weights_as_safetensors


def test_a_safetensors_file_of_something_else_is_refused(tmp_path: Path) -> None:
    network = ResidualMLP(width=8, blocks=1)
    path = tmp_path / "a.safetensors"
    metadata = metadata_of(network, 1)
    for changed, pattern in (
        ({"rules_version": "0"}, "version of the rules"),
        ({"arguments": json.dumps({"width": 9, "blocks": 1})}, "cannot be built"),
        ({"network": "os.system"}, "holds a os.system"),
        ({"format": "new"}, "not written by lit-alphazero"),
    ):
        path.write_bytes(weights_as_safetensors(network, metadata | changed))
        with pytest.raises(ValueError, match=pattern):
            load_network(path)
    path.write_bytes(weights_as_safetensors(network, metadata)[:-5])
    with pytest.raises(ValueError, match="damaged"):
        load_network(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_network(tmp_path / "b.safetensors")


def test_a_checkpoint_is_read_too(checkpoint_path: Path, tmp_path: Path) -> None:
    """A message that asks for a safetensors file, or for a package that is not needed."""
    network = load_network(checkpoint_path)
    assert isinstance(network, ResidualMLP) and not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    (tmp_path / "renamed.pt").write_bytes(checkpoint_path.read_bytes())
    assert load_network(str(tmp_path / "renamed.pt")).config == network.config
    (tmp_path / "damaged.ckpt").write_bytes(checkpoint_path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"^path: '.*damaged\.ckpt' is truncated, damaged or no checkpoint"):
        load_network(tmp_path / "damaged.ckpt")
