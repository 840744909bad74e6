"""The game runner against a plain loop that plays the same games one by one, and what its slots promise."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from reference.search import Answer, scrambled
from support.runner_tools import (
    GAMES,
    GUMBEL,
    NOISY,
    OUTSIDE,
    PLAIN,
    check_same,
    check_same_as_one_by_one,
    evaluator,
    kept_by,
    leaves_for,
    middle,
    one_by_one,
    plan,
    run,
    runner_for,
)

from sim_core import GameBatch, GameRunner, LeafBatch, SearchSettings, State, get_game

OPPONENTS = {
    "self_play": {"beasty_bar": (), "connect_four": ()},
    "built_in": {
        "beasty_bar": (("noisy", 3), ("online", 4), ("random", 2**64 - 1)),
        "connect_four": (("tactical", 3), ("random", 8)),
    },
    "outside": {"beasty_bar": (OUTSIDE, ("random", 3)), "connect_four": (OUTSIDE, OUTSIDE)},
}


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("opponents", OPPONENTS)
@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("simulations", "search"), [(0, PLAIN), (8, NOISY), (8, GUMBEL)], ids=["policy", "puct", "gumbel"]
)
def test_a_plain_loop_plays_the_same(
    game: str, opponents: str, temperature: float, simulations: int, search: SearchSettings
) -> None:
    """Fails if streams, seats, targets, sampling or solved moves differ from a plain loop in any bit."""
    wanted = plan(game, 11, simulations, search, temperature, OPPONENTS[opponents][game])
    expected = one_by_one(wanted)
    found = run(wanted, 4, threads=1)
    check_same_as_one_by_one(wanted, found, expected)
    check_same(run(wanted, 7, threads=3), found)
    assert (np.asarray(found.states).shape[0] > 0) and len(found.outcomes) == 11


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    ("game", "model", "known"),
    [
        *product(GAMES, ["told", "random"], [None]),
        ("beasty_bar", "infer", None),
        ("beasty_bar", "infer", ("random", "skunk")),
    ],
)
def test_searches_know_whom_they_play(game: str, temperature: float, model: str, known: Any) -> None:
    """Fails if a slot's model is another game's, or if one is taken for self-play or an opponent outside.

    For one that infers: if runner, search and `Belief` do not weigh the same hands and opponents by the same opinion.
    """
    kinds = (("distilled_outcome", 3), OUTSIDE, ("random", 4)) if game == "beasty_bar" else (("tactical", 3), OUTSIDE)
    wanted = plan(game, 15, 8, GUMBEL, temperature, kinds)._replace(opponent_model=model, known=known)
    wanted.controllers[-3:] = 0
    expected = one_by_one(wanted)
    found = run(wanted, 4, threads=1)
    check_same_as_one_by_one(wanted, found, expected)
    check_same(run(wanted, 7, threads=3), found)
    plain = run(wanted._replace(opponent_model="none"), 4)
    assert found.states.shape != plain.states.shape or (found.states != plain.states).any()


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("search", [PLAIN, NOISY, GUMBEL], ids=["plain", "noisy", "gumbel"])
def test_slots_and_threads_change_nothing(game: str, search: SearchSettings) -> None:
    wanted = plan(game, 40, 8, search, 1.0, OPPONENTS["built_in"][game])
    expected = run(wanted, 40)
    for slots, threads in ((1, 1), (3, 3), (16, 2), (100, 3)):
        check_same(run(wanted, slots, threads), expected)


def test_leaves_are_used_again() -> None:
    """Fails if a runner is changed by what an earlier one left in trees and buffers."""
    first = plan("beasty_bar", 9, 8, GUMBEL)
    second = plan("beasty_bar", 7, 3, NOISY, 1.0, OPPONENTS["built_in"]["beasty_bar"])
    leaves = leaves_for(first, 5)
    for wanted in (first, second, first):
        check_same(run(wanted, 5, leaves=leaves), run(wanted, 5))
        given_up = runner_for(wanted, leaves)
        for _ in range(30):
            leaves.evaluate(scrambled, given_up.advance(), 1)


def test_games_of_one_stream_are_one_game() -> None:
    wanted = plan("beasty_bar", 6)._replace(streams=np.full(6, 4), first_player=np.zeros(6, dtype=np.int64))
    found = run(wanted, 4)
    assert (found.scores == found.scores[0]).all()
    assert (found.states.reshape(6, 24, -1) == found.states[:24]).all()


@pytest.mark.parametrize(("simulations", "search"), [(0, PLAIN), (8, NOISY), (8, GUMBEL)])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_nothing_is_kept_unasked(simulations: int, search: SearchSettings, temperature: float) -> None:
    """Fails if positions are kept unasked, or solved positions ask the network although nothing is kept."""
    wanted = plan("beasty_bar", 9, simulations, search, temperature, OPPONENTS["built_in"]["beasty_bar"])
    leaves = leaves_for(wanted, 4)
    runner = runner_for(wanted, leaves, record=False)
    asked: list[int] = []

    def noting(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        asked.extend(observations[:, -24:].argmax(axis=1).tolist())
        return scrambled(observations, legal_mask)

    while not runner.is_done:
        if rows := runner.advance():
            leaves.evaluate(noting, rows, 1)
    expected = one_by_one(wanted, record=False)
    assert (runner.record.outcomes == expected.outcomes).all() and (runner.record.scores == expected.scores).all()
    assert [len(part) for part in kept_by(runner)[2:]] == [0, 0, 0]
    assert max(asked) < 16 or simulations == 0


@pytest.mark.parametrize("opponents", [(), (("random", 1),)], ids=["self_play", "no_seat_for_the_learner"])
def test_no_games_and_no_learner(opponents: tuple[tuple[str, int], ...]) -> None:
    nothing = plan("beasty_bar", 0, opponents=opponents)
    leaves = leaves_for(nothing, 4)
    runner = runner_for(nothing, leaves)
    assert runner.advance() == 0 and runner.is_done and runner.progress == 0
    if opponents:
        wanted = plan("beasty_bar", 9, opponents=opponents)
        runner = runner_for(wanted, leaves, controllers=np.ones((9, 2), dtype=np.int64))
        while not runner.is_done:
            assert runner.advance() == 0
        assert runner.simulations_done == 0 and len(runner.record.states) == 0
        batch = GameBatch(9, 5, streams=wanted.streams, first_player=wanted.first_player)
        while not batch.is_terminal.all():
            batch.step(batch.opponent_actions("random", 1))
        assert (runner.record.outcomes == batch.outcomes()).all() and (runner.record.scores == batch.scores()).all()


# ---------------------------------------------------------------------- full batches, progress


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(("simulations", "opponents"), [(0, ()), (4, ()), (4, (("random", 1),))])
def test_network_calls_are_full_while_games_are_left(
    game: str, simulations: int, opponents: tuple[tuple[str, int], ...]
) -> None:
    """Fails if a slot has no leaf in a call, except where its game has just ended."""
    slots, games = 16, 100
    wanted = plan(game, games, simulations, PLAIN, 1.0, opponents)
    leaves = leaves_for(wanted, slots)
    runner, finished, told, total = runner_for(wanted, leaves), 0, [], 0
    while not runner.is_done:
        rows = runner.advance(2)
        just_finished = runner.finished - finished
        finished = runner.finished
        begun = finished + rows
        if begun < games:  # otherwise slots stay empty
            assert rows == slots - just_finished
        assert rows <= slots
        told.append(runner.progress)
        if rows:
            leaves.evaluate(evaluator(game), rows, 2)
        total += rows
    assert told == sorted(told)
    assert told[-1] == runner.finished == games
    assert all(isinstance(share, float) and share >= 0 for share in runner.seconds.values())
    assert set(runner.seconds) == {"forward", "tree", "encoding", "opponents"}
    if simulations:
        assert runner.simulations_done % simulations == 0 and runner.simulations_done > total - runner.simulations_done


# ---------------------------------------------------------------------- opponents outside


def waiting_runner(simulations: int = 0) -> tuple[GameRunner, LeafBatch]:
    wanted = plan("beasty_bar", 12, simulations, opponents=(OUTSIDE, OUTSIDE))
    leaves = leaves_for(wanted, 8)
    runner = runner_for(wanted, leaves)
    rows = runner.advance()
    leaves.evaluate(scrambled, rows, 1)
    runner.advance()
    return runner, leaves


def test_outside_opponents_are_told_apart() -> None:
    """Fails if an outside opponent is asked about another one's games, or about games where it is not to move."""
    runner, _ = waiting_runner()
    met: list[int] = []
    for number in (0, 1):
        slots, games = runner.outside(number)
        assert games == 4 and 0 < len(slots) <= 4
        batch = runner.positions(slots)
        # slot k plays game k; its outside opponent sits in seat k % 2
        assert (batch.to_move == slots % 2).all()
        assert (slots // 2 % 2 == number).all()
        met += slots.tolist()
    assert len(met) == len(set(met))
    assert len(runner.outside(2)[0]) == runner.outside(2)[1] == 0


def test_an_illegal_outside_action_changes_nothing() -> None:
    runner, _ = waiting_runner()
    slots, _ = runner.outside(0)
    before = runner.positions(np.arange(8)).packed()
    legal = runner.positions(slots).legal_mask()
    actions = middle(runner.positions(slots))
    wrong = actions.copy()
    wrong[-1] = np.flatnonzero(~legal[-1])[0]
    for given in (wrong, np.full(len(slots), 10**6), actions[:-1], actions.astype(float)):
        with pytest.raises(ValueError, match=r"^actions: "):
            runner.play(slots, given)
        assert (runner.positions(np.arange(8)).packed() == before).all()
        assert (runner.outside(0)[0] == slots).all()
    with pytest.raises(ValueError, match=r"^slots: "):
        runner.play([8], [0])
    runner.play(slots, actions)
    after = runner.positions(np.arange(8)).packed()
    assert (after[slots] != before[slots]).any(axis=1).all()
    assert len(runner.outside(0)[0]) == 0


def test_only_slots_that_wait_for_an_outside_opponent_can_be_played() -> None:
    """Fails if a move can be played in a game that waits for the network, whose tree would then be of another root."""
    runner, _ = waiting_runner(4)
    waiting = np.concatenate([runner.outside(number)[0] for number in (0, 1)])
    busy = np.setdiff1d(np.arange(8), waiting)
    before = runner.positions(np.arange(8)).packed()
    assert len(busy)
    with pytest.raises(ValueError, match=r"^slots: "):
        runner.play(busy[:1], middle(runner.positions(busy[:1])))
    with pytest.raises(ValueError, match=r"^slots: "):
        runner.play(waiting[[0, 0]], middle(runner.positions(waiting[[0, 0]])))
    with pytest.raises(ValueError, match=r"^actions: "):
        runner.play(waiting[:1], [-1])
    assert (runner.positions(np.arange(8)).packed() == before).all()


# ---------------------------------------------------------------------- what is refused


WRONG: list[tuple[str, dict[str, Any]]] = [
    *[("temperature", {"temperature": value}) for value in (-0.1, float("nan"), float("inf"))],
    *[("simulations", {"simulations": value}) for value in (-1, 9)],
    *[("opening_plies", {"opening_plies": value}) for value in (-1, 24, 0.5)],
    *[("seed", {"seed": value}) for value in (-1, 2**64, 0.5)],
    *[("learner_seed", {"learner_seed": value}) for value in (-1, 2**64)],
    *[("streams", {"streams": value}) for value in ([-1] * 3, 4, [0.5] * 3, [[1, 2, 3]])],
    *[("first_player", {"first_player": value}) for value in (2, [0, 1], [0.0] * 3, -1)],
    *[("controllers", {"controllers": value}) for value in ([[0, 2]] * 3, [[0, -1]] * 3, [[0, 0]] * 2, [0, 0, 0])],
    *[("opponents", {"opponents": [(value, 0)]}) for value in ("nobody", 3)],
    ("determinizations", {"search": SearchSettings(determinizations=2)}),
]


@pytest.mark.parametrize(("name", "change"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_arguments_are_refused_by_name(name: str, change: dict[str, Any]) -> None:
    wanted = plan("beasty_bar", 3, opponents=(("random", 1),))
    with pytest.raises(ValueError, match=rf"^{name}: "):
        runner_for(wanted, leaves_for(wanted, 2), **change)


def test_the_callers_arrays_are_copied() -> None:
    wanted = plan("beasty_bar", 5, 0)
    streams, first, controllers = wanted.streams.copy(), wanted.first_player.copy(), wanted.controllers.copy()
    leaves = leaves_for(wanted, 2)
    runner = runner_for(wanted, leaves, streams=streams, first_player=first, controllers=controllers)
    streams[:], first[:], controllers[:] = 0, 1, 1
    while not runner.is_done:
        if rows := runner.advance():
            leaves.evaluate(scrambled, rows, 1)
    assert (runner.record.scores == run(wanted, 2).scores).all()


@pytest.mark.parametrize("game", GAMES)
def test_positions_kept_are_positions(game: str) -> None:
    found = run(plan(game, 9, 8, GUMBEL, 1.0, OPPONENTS["built_in"][game]), 4)
    batch = GameBatch.from_packed(found.states, game=game)
    assert not batch.is_terminal.any()
    assert np.abs(found.policies.sum(axis=1) - 1).max() < 1e-5
    assert (found.policies[~batch.legal_mask()] == 0).all()
    assert State(found.states[0].tobytes(), game).ply < get_game(game).max_plies
