"""The worked turns through the public engine: text of a position, an action, text of the position after."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim_core import Action, State

VECTORS = [
    line.split("\t")
    for line in (Path(__file__).parents[2] / "data" / "rules_vectors.tsv").read_text().splitlines()
    if not line.startswith("#")
]


def test_there_are_62_worked_turns() -> None:
    assert len(VECTORS) == 62


@pytest.mark.parametrize(("name", "before", "action", "after"), VECTORS, ids=[row[0] for row in VECTORS])
def test_worked_turn(name: str, before: str, action: str, after: str) -> None:
    state = State.parse(before)
    assert str(state) == before
    assert Action.parse(action) in state.legal_actions()
    assert str(state.step(Action.parse(action))) == after
    assert str(state) == before, "a step must not change the state it starts from"
