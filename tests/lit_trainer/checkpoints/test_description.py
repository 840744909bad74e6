"""The description of a network survives the file, and names what differs."""

from __future__ import annotations

import pytest

from lit_trainer import ResidualMLP, TransformerNetwork
from lit_trainer.checkpoints.description import Description


def test_a_description_is_read_as_it_was_written() -> None:
    said = Description.of(ResidualMLP(width=8, blocks=1))
    assert Description.parse(said.entry(), "file") == said
    assert said.network_class() is ResidualMLP
    assert said.init_args == {"game": "beasty_bar", "width": 8, "blocks": 1, "auxiliary": False, "condition": "none"}


def test_differences_name_both_values() -> None:
    said = Description.of(ResidualMLP(width=8, blocks=1))
    assert said.differences(ResidualMLP(width=8, blocks=1)) == []
    assert said.differences(ResidualMLP(width=9, blocks=1)) == ["network width: the checkpoint has 8, this run 9"]
    heads = ResidualMLP(width=8, blocks=1, auxiliary=True)
    assert len(said.differences(heads)) == 1 and said.differences(heads, heads_may_differ=True) == []
    assert said.differences(TransformerNetwork(width=8, layers=1, heads=1))[0].startswith("network: ")


@pytest.mark.parametrize(
    ("saved", "message"),
    [(None, "not written by lit-alphazero"), ({"format": 99}, "has format 99"), ({"format": 1}, "is damaged")],
)
def test_what_is_no_description_is_refused(saved: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^the file .*{message}"):
        Description.parse(saved, "the file")
