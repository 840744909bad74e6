"""Batches of games: streams, states in and out, steps and buffers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.batch_tools import played, states, texts

from sim_core import (
    ACTIONS,
    OBSERVATION_SIZE,
    Action,
    GameBatch,
    c_state_to_python,
    select_random_action,
)

# ---------------------------------------------------------------------- streams


@pytest.mark.parametrize("threads", [2, 8])
def test_random_games_do_not_depend_on_threads(threads: int) -> None:
    one, many = GameBatch(1001, seed=5), GameBatch(1001, seed=5)
    one.play_random()
    many.play_random(threads=threads)
    assert (one.packed() == many.packed()).all()
    assert one.is_terminal.all()


def test_random_games_do_not_depend_on_the_batch() -> None:
    """Fails if game k depends on the batch that it is played in."""
    whole = GameBatch(1024, seed=5)
    dealt = whole.packed()
    whole.play_random()
    ends = whole.packed()
    order = np.random.default_rng(0).permutation(1024)
    for low in range(0, 1024, 64):
        part = GameBatch(64, seed=5, streams=order[low : low + 64])
        assert (part.packed() == dealt[order[low : low + 64]]).all()
        part.play_random()
        assert (part.packed() == ends[order[low : low + 64]]).all()
    for number in range(0, 1024, 41):
        alone = GameBatch(1, seed=5, streams=[number])
        alone.play_random()
        assert (alone.packed()[0] == ends[number]).all()
    assert len(np.unique(ends, axis=0)) > 1000


def test_first_player_of_each_game() -> None:
    first = np.array([0, 1, 1, 0, 1])
    batch = GameBatch(5, 1, first_player=first)
    assert batch.to_move.tolist() == first.tolist()
    same_deal = GameBatch(5, 1)
    assert (batch.legal_mask()[first == 0] == same_deal.legal_mask()[first == 0]).all()
    assert [text[:-4] for text in texts(batch)] == [text[:-4] for text in texts(same_deal)]


def test_games_taken_keep_their_streams() -> None:
    batch = played(GameBatch(50, seed=3), 7)
    rows = [7, 30, 7, 0]
    taken = batch.take(rows)
    assert (taken.packed() == batch.packed()[rows]).all()
    assert (taken.uniforms(9) == batch.uniforms(9)[rows]).all()
    for name in ("random", "noisy"):
        assert (taken.opponent_actions(name, 4) == batch.opponent_actions(name, 4)[rows]).all()
        assert (batch.opponent_actions(name, 4, rows=rows) == batch.opponent_actions(name, 4)[rows]).all()
    twice = batch.take(rows).take([1, 2])
    taken.play_random()
    assert (batch.ply == 7).all()
    batch.play_random()
    twice.play_random()
    assert (taken.packed() == batch.packed()[rows]).all()
    assert (twice.packed() == batch.packed()[rows][1:3]).all()


# ---------------------------------------------------------------------- states in and out


def test_states_and_packed_rows_round_trip() -> None:
    given = states()
    batch = GameBatch.from_states(given)
    assert len(batch) == len(given)
    assert [c_state_to_python(batch, i) for i in range(len(batch))] == given
    packed = batch.packed()
    again = GameBatch.from_packed(packed)
    packed[:] = 0
    assert texts(again) == texts(batch) == [str(state) for state in given]
    assert batch.to_move.tolist() == [state.to_move for state in given]
    assert batch.ply.tolist() == [state.ply for state in given]
    assert batch.is_terminal.tolist() == [state.is_terminal for state in given]
    assert batch.is_solvable.tolist() == [state.is_solvable for state in given]
    assert batch.scores().tolist() == [list(state.scores()) for state in given]
    every_other = GameBatch.from_packed(again.packed()[::2])
    assert texts(every_other) == texts(batch)[::2]


def test_empty_batches() -> None:
    for batch in (GameBatch(0), GameBatch.from_states([]), GameBatch(3).take(np.arange(0))):
        assert len(batch) == 0
        assert batch.observe().shape == (0, OBSERVATION_SIZE)
        assert batch.legal_mask().shape == (0, len(ACTIONS))
        assert batch.packed().shape[0] == 0
        batch.step(np.arange(0))
        batch.play_random(threads=2)


# ---------------------------------------------------------------------- steps


def test_a_step_moves_the_games_it_is_given_and_leaves_the_others() -> None:
    batch = GameBatch.from_states(states())
    before = [c_state_to_python(batch, i) for i in range(len(batch))]
    rng = np.random.default_rng(1)
    actions = np.array(
        [
            rng.choice([action.id for action in state.legal_actions()])
            if state.legal_actions() and rng.random() < 0.6
            else -1
            for state in before
        ]
    )
    batch.step(actions)
    after = [state if k < 0 else state.step(Action(int(k))) for state, k in zip(before, actions, strict=True)]
    assert [c_state_to_python(batch, i) for i in range(len(batch))] == after
    assert 60 < (actions < 0).sum() < 140


def test_a_step_with_an_illegal_action_changes_no_game() -> None:
    batch = played(GameBatch(20, seed=8), 3)
    legal = batch.legal_mask()
    actions = legal.argmax(axis=1)
    actions[13] = np.flatnonzero(~legal[13])[-1]
    before = batch.packed()
    with pytest.raises(ValueError) as error:
        batch.step(actions)
    message = str(error.value)
    assert re.search(r"\bgame 13\b", message)
    for text in (ACTIONS[actions[13]], *(ACTIONS[k] for k in np.flatnonzero(legal[13]))):
        assert re.search(rf"(?<![\w=]){re.escape(text)}(?![\w=])", message), (text, message)
    assert (batch.packed() == before).all()


def test_a_finished_game_takes_no_action() -> None:
    batch = played(GameBatch(4, seed=8), np.array([24, 3, 24, 24]))
    assert batch.is_terminal.tolist() == [True, False, True, True]
    assert not batch.legal_mask()[[0, 2, 3]].any()
    assert (batch.opponent_actions("heuristic")[[0, 2, 3]] == -1).all()
    assert (batch.opponent_actions("random")[[0, 2, 3]] == -1).all()
    before = batch.packed()
    for k in range(len(ACTIONS)):
        with pytest.raises(ValueError, match=r"(?s)game 2.*over"):
            batch.step([-1, -1, k, -1])
    with pytest.raises(ValueError, match=r"^i: .*over"):
        select_random_action(batch, 0)
    batch.step(-np.ones(4, dtype=int))
    assert (batch.packed() == before).all()
    batch.observe()


# ---------------------------------------------------------------------- observations


def test_buffers_are_filled_and_returned() -> None:
    """Fails if a buffer is not cleared before it is filled, and so keeps the last position's actions."""
    batch = played(GameBatch(30, seed=1), 6)
    mask, observation = np.ones((30, len(ACTIONS)), bool), np.full((30, OBSERVATION_SIZE), 9, np.float32)
    assert batch.legal_mask(out=mask) is mask
    assert batch.observe(out=observation) is observation
    assert (mask == batch.legal_mask()).all()
    assert (observation == batch.observe()).all()
