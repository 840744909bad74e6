"""States and actions as values: what they are made from, and that nothing changes them."""

from __future__ import annotations

import copy
import pickle

import pytest
from support.batch_tools import played, states, texts

from sim_core import (
    GameBatch,
    State,
    c_state_to_python,
)


def test_a_state_is_game_0_of_its_seed() -> None:
    for seed in (0, 1, 2**63, 2**64 - 1):
        for first in (0, 1):
            batch = GameBatch(1, seed, first_player=first)
            assert c_state_to_python(batch, 0) == State.initial(seed, first)
            assert batch.to_move.tolist() == [first]


def test_a_python_state_is_a_snapshot() -> None:
    batch = played(GameBatch(3, seed=2), 5)
    state = c_state_to_python(batch, 1)
    text = str(state)
    state.step(state.legal_actions()[0])
    assert texts(batch)[1] == text
    batch.play_random()
    assert str(state) == text
    assert texts(batch)[1] != text


def test_a_state_is_a_value() -> None:
    for state in states(30):
        twin = State.parse(str(state))
        assert twin == state
        assert hash(twin) == hash(state)
        assert {twin: 1}[state] == 1
        for copied in (pickle.loads(pickle.dumps(state)), copy.deepcopy(state), copy.copy(state)):
            assert copied == state
            assert str(copied) == str(state)
        assert state != str(state)
        assert State.parse(str(state), game="beasty_bar_animals") != state
        for action in state.legal_actions():
            assert state.step(action) != state
            assert pickle.loads(pickle.dumps(action)) == action
        for name in ("data", "game", "ply", "extra"):
            with pytest.raises(AttributeError):
                setattr(state, name, state.data)
        assert twin == state


@pytest.mark.parametrize("name", ["data", "game"])
def test_a_state_loses_nothing(name: str) -> None:
    """Fails if `del` can change a state."""
    state = State.initial(1)
    with pytest.raises(AttributeError):
        delattr(state, name)
    assert state == State.initial(1)
