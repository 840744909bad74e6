"""What batches, states and games refuse at their Python boundary, and by what name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sim_core import (
    ACTIONS,
    OBSERVATION_SIZE,
    Action,
    GameBatch,
    State,
    c_state_to_python,
    select_random_action,
)

REFUSED: list[tuple[str, Callable[[GameBatch], object]]] = [
    ("n", lambda batch: GameBatch(-1)),
    ("n", lambda batch: GameBatch(2.0)),
    ("n", lambda batch: GameBatch("2")),
    ("n", lambda batch: GameBatch(None)),
    ("seed", lambda batch: GameBatch(2, -1)),
    ("seed", lambda batch: GameBatch(2, 2**64)),
    ("seed", lambda batch: GameBatch(2, 1.0)),
    ("first_player", lambda batch: GameBatch(2, first_player=2)),
    ("first_player", lambda batch: GameBatch(2, first_player=-1)),
    ("first_player", lambda batch: GameBatch(2, first_player=[0])),
    ("first_player", lambda batch: GameBatch(2, first_player=[[0, 1]])),
    ("first_player", lambda batch: GameBatch(2, first_player=0.0)),
    ("streams", lambda batch: GameBatch(2, streams=[1])),
    ("streams", lambda batch: GameBatch(2, streams=[1, -1])),
    ("streams", lambda batch: GameBatch(2, streams=[1, 2**63])),
    ("streams", lambda batch: GameBatch(2, streams=[0.0, 1.0])),
    ("streams", lambda batch: GameBatch(2, streams=[1, 2**80])),
    ("game", lambda batch: GameBatch(2, game="chess")),
    ("packed", lambda batch: GameBatch.from_packed(batch.packed().astype(np.int64))),
    ("packed", lambda batch: GameBatch.from_packed(batch.packed()[:, 1:])),
    ("packed", lambda batch: GameBatch.from_packed(batch.packed()[0])),
    ("packed", lambda batch: GameBatch.from_packed([])),
    ("packed", lambda batch: GameBatch.from_packed(None)),
    ("game", lambda batch: GameBatch.from_packed(batch.packed(), game="chess")),
    ("states", lambda batch: GameBatch.from_states([batch.state(0), State.initial(1, game="beasty_bar_animals")])),
    ("rows", lambda batch: batch.take([2])),
    ("rows", lambda batch: batch.take([-1])),
    ("rows", lambda batch: batch.take([0.0])),
    ("rows", lambda batch: batch.take([True, False])),
    ("rows", lambda batch: batch.take([[0]])),
    ("rows", lambda batch: batch.take(None)),
    ("actions", lambda batch: batch.step([0])),
    ("actions", lambda batch: batch.step([0, 0, 0])),
    ("actions", lambda batch: batch.step([[0, 0]])),
    ("actions", lambda batch: batch.step([0, len(ACTIONS)])),
    ("actions", lambda batch: batch.step([0, -2])),
    ("actions", lambda batch: batch.step([0, 2**70])),
    ("actions", lambda batch: batch.step([0.0, 0.0])),
    ("actions", lambda batch: batch.step([True, True])),
    ("actions", lambda batch: batch.step(["L", "L"])),
    ("actions", lambda batch: batch.step(None)),
    ("out", lambda batch: batch.legal_mask(out=np.zeros((2, 32), bool))),
    ("out", lambda batch: batch.legal_mask(out=np.zeros((2, 33), np.uint8))),
    ("out", lambda batch: batch.legal_mask(out=np.zeros((33, 2), bool).T)),
    ("out", lambda batch: batch.legal_mask(out=np.zeros((2, 33), bool).tolist())),
    ("out", lambda batch: batch.legal_mask(out=np.broadcast_to(np.zeros(33, bool), (2, 33)))),
    ("out", lambda batch: batch.observe(out=np.zeros((2, OBSERVATION_SIZE)))),
    ("out", lambda batch: batch.observe(out=np.zeros((3, OBSERVATION_SIZE), np.float32))),
    ("out", lambda batch: batch.observe(out=np.zeros((2, 2 * OBSERVATION_SIZE), np.float32)[:, ::2])),
    ("out", lambda batch: batch.observe(out=np.frombuffer(bytes(8 * OBSERVATION_SIZE), np.float32).reshape(2, -1))),
    ("i", lambda batch: batch.state(2)),
    ("i", lambda batch: batch.state(-1)),
    ("i", lambda batch: batch.state(0.0)),
    ("i", lambda batch: c_state_to_python(batch, 2)),
    ("i", lambda batch: select_random_action(batch, 2)),
    ("name", lambda batch: batch.opponent_actions("nobody")),
    ("name", lambda batch: batch.opponent_actions(None)),
    ("rows", lambda batch: batch.opponent_actions("random", rows=[2])),
    ("rows", lambda batch: batch.opponent_actions("random", rows=[-1])),
    ("threads", lambda batch: batch.play_random(threads=0)),
    ("threads", lambda batch: batch.play_random(threads=-1)),
    ("threads", lambda batch: batch.play_random(threads=1.0)),
    ("threads", lambda batch: batch.play_random(threads="2")),
    ("threads", lambda batch: batch.play_random(threads=10**6)),
    ("data", lambda batch: State(batch.state(0).data[1:])),
    ("data", lambda batch: State(bytearray(batch.state(0).data))),
    ("game", lambda batch: State(batch.state(0).data, "chess")),
    ("seed", lambda batch: State.initial(-1)),
    ("first_player", lambda batch: State.initial(1, 2)),
    ("action", lambda batch: batch.state(0).step(0)),
    ("action", lambda batch: batch.state(0).step(Action(0, "beasty_bar_animals"))),
    ("id", lambda batch: Action(len(ACTIONS))),
    ("id", lambda batch: Action(-1)),
]


@pytest.mark.parametrize(("name", "call"), REFUSED)
def test_wrong_arguments_are_refused_by_name(name: str, call: Callable[[GameBatch], object]) -> None:
    batch = GameBatch(2, seed=6)
    before = batch.packed()
    with pytest.raises(ValueError, match=rf"^{name}: "):
        call(batch)
    assert (batch.packed() == before).all()


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("batch", lambda batch: c_state_to_python(batch.packed(), 0)),
        ("batch", lambda batch: c_state_to_python(None, 0)),
        ("batch", lambda batch: select_random_action(None, 0)),
        ("i", lambda batch: select_random_action(batch, "0")),
        ("name", lambda batch: GameBatch(2, game=None)),
        ("name", lambda batch: GameBatch.from_packed(batch.packed(), game=0)),
    ],
)
def test_wrong_types_are_refused_by_name(name: str, call: Callable[[GameBatch], object]) -> None:
    with pytest.raises(TypeError, match=f"'{name}'"):
        call(GameBatch(2))


@pytest.mark.parametrize(
    "call",
    [
        lambda batch, seed: batch.uniforms(seed),
        lambda batch, seed: batch.opponent_actions("random", seed),
        lambda batch, seed: GameBatch.from_packed(batch.packed(), seed=seed),
        lambda batch, seed: GameBatch.from_states([batch.state(0)], seed=seed),
        lambda batch, seed: batch.state(0).determinize(seed),
    ],
)
@pytest.mark.parametrize("seed", [-1, 2**64, 0.5])
def test_a_seed_out_of_range_is_refused_everywhere(call: Callable[..., object], seed: object) -> None:
    with pytest.raises(ValueError, match=r"^seed: "):
        call(GameBatch(2, seed=6), seed)


def test_one_row_is_no_list_of_rows() -> None:
    with pytest.raises(ValueError, match=r"^rows: "):
        GameBatch(3).take(0)


@pytest.mark.parametrize("byte", [16, 127, 255])
def test_bytes_that_are_no_position_are_refused(byte: int) -> None:
    """Fails if bytes from damaged files are accepted: the C code uses them as indices."""
    size = len(State.initial(1).data)
    with pytest.raises(ValueError, match=r"^packed: "):
        GameBatch.from_packed(np.full((1, size), byte, np.uint8))
    with pytest.raises(ValueError, match=r"^data: "):
        State(bytes([byte]) * size)


def test_an_empty_list_is_no_rows() -> None:
    """Fails if an empty list is refused because numpy makes a float array of it."""
    batch = GameBatch(3)
    assert len(batch.take([])) == 0
    assert batch.opponent_actions("random", rows=[]).shape == (0,)
    GameBatch(0).step([])
