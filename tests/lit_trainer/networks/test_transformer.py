"""The transformer reads each named part of the observation as one token."""

from __future__ import annotations

from lit_trainer import TransformerNetwork
from sim_core import OBSERVATION_LAYOUT


def test_the_transformer_has_a_token_for_each_part() -> None:
    network = TransformerNetwork(width=16, layers=1, heads=4)
    assert network.part_sizes == [size for _, size in OBSERVATION_LAYOUT]
    assert len(network.embeddings) == len(OBSERVATION_LAYOUT)
