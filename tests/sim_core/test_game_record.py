"""What a runner keeps of its games: each array against the positions themselves and the games' ends."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from support.runner_tools import GAMES, GUMBEL, PLAIN, evaluator, leaves_for, plan

from sim_core import GameBatch, GameRecord, GameRunner, RunnerSettings, SearchSettings, get_game

MANY = {"beasty_bar": 40, "connect_four": 150}
"""Games that reach some positions that can be solved."""


def played(
    game: str,
    *,
    games: int = 9,
    simulations: int = 8,
    search: SearchSettings = PLAIN,
    value_target: Literal["outcome", "endgame"] = "outcome",
    opponents: tuple[tuple[str | None, int], ...] = (),
    record: bool = True,
) -> GameRecord:
    wanted = plan(game, games, simulations, search, 1.0, opponents)
    leaves = leaves_for(wanted, 4)
    runner = GameRunner(
        leaves,
        RunnerSettings(simulations, search, value_target),
        temperature=1.0,
        seed=5,
        learner_seed=9,
        streams=wanted.streams,
        first_player=wanted.first_player,
        controllers=wanted.controllers,
        opponents=opponents,
        record=record,
    )
    while not runner.is_done:
        if rows := runner.advance():
            leaves.evaluate(evaluator(game), rows, 1)
    return runner.record


def games_of(record: GameRecord, game: str) -> np.ndarray:
    """Returns the number of the game that each kept position of self-play belongs to."""
    ply = GameBatch.from_packed(record.states, game=game).ply
    return np.cumsum(ply == 0) - 1


@pytest.mark.parametrize("game", GAMES)
def test_every_array_has_its_shape_and_type(game: str) -> None:
    handle, record = get_game(game), played(game)
    positions = len(record.states)
    assert len(record) == 9 and record.keeps_positions and positions > 9
    shapes = {
        "outcomes": (np.int8, (9,)),
        "scores": (np.int32, (9, 2)),
        "states": (np.uint8, (positions, handle.state_size)),
        "policies": (np.float32, (positions, handle.num_actions)),
        "movers": (np.int8, (positions,)),
        "position_outcomes": (np.float32, (positions,)),
        "conditions": (np.uint8, (positions, 0)),
        "position_margins": (np.int32, (positions,)),
        "position_values": (np.float32, (positions,)),
    }
    for name, (dtype, shape) in shapes.items():
        array = getattr(record, name)
        assert (array.dtype, array.shape) == (dtype, shape), name
        assert not np.shares_memory(array, getattr(record, name)), name  # a caller may write into it


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("search", [PLAIN, GUMBEL], ids=["puct", "gumbel"])
def test_positions_belong_to_their_movers(game: str, search: SearchSettings) -> None:
    record = played(game, search=search)
    batch, number = GameBatch.from_packed(record.states, game=game), games_of(record, game)
    sign = np.where(record.movers == 0, 1, -1)
    assert (record.movers == batch.to_move).all()
    assert (record.position_outcomes == sign * record.outcomes[number]).all()
    assert (record.position_margins == sign * (record.scores[number, 0] - record.scores[number, 1])).all()


@pytest.mark.parametrize("game", GAMES)
def test_values_are_those_of_the_search(game: str) -> None:
    record = played(game, games=MANY[game])
    values, handle = record.position_values, get_game(game)
    solvable = GameBatch.from_packed(record.states, game=game).is_solvable
    assert (np.abs(values) <= 1).all() and solvable.any() and not solvable.all()
    exact = [handle.solve(state.tobytes())[0] for state in record.states[solvable]]
    assert (values[solvable] == exact).all()
    raw = played(game, simulations=0)
    assert np.isnan(raw.position_values).all() and len(raw.position_values) > 0
    assert (raw.policies == 0).all()  # the raw policy is no target


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("simulations", [0, 8])
def test_endgame_targets_are_exact(game: str, simulations: int) -> None:
    """Fails if the target is the game's outcome, which differs where the policy plays the endgame itself."""
    record = played(game, games=MANY[game], simulations=simulations, value_target="endgame")
    handle, number = get_game(game), games_of(record, game)
    solvable = GameBatch.from_packed(record.states, game=game).is_solvable
    exact = np.array(
        [handle.solve(state.tobytes())[0] if can else 0 for state, can in zip(record.states, solvable, strict=True)]
    )
    sign = np.where(record.movers == 0, 1, -1)
    for one in range(MANY[game]):
        mine = number == one
        solved = np.flatnonzero(mine & solvable)
        value = sign[solved[0]] * exact[solved[0]] if len(solved) else record.outcomes[one]
        expected = np.where(solvable[mine], exact[mine], sign[mine] * value)
        assert (record.position_outcomes[mine] == expected).all()
    same = played(game, games=MANY[game], simulations=simulations)
    assert (same.states == record.states).all() and (same.outcomes == record.outcomes).all()
    differ = (same.position_outcomes != record.position_outcomes).any()
    assert not differ if simulations else differ or game == "connect_four"  # a learner that searches plays solved moves


def test_only_the_learners_positions_are_kept() -> None:
    record = played("beasty_bar", games=8, opponents=(("random", 3),))
    number = np.repeat(np.arange(8), 12)  # a player moves twelve times per game
    assert (record.movers == 1 - number % 2).all()  # the opponent has the other seat, see `plan`


def keys_of(*games: tuple[str, int, int]) -> list[int]:
    """Keys of connect four's games, each given by its moves, the player who begins, and the first player's seat."""
    _, first, seats = map(np.array, zip(*games, strict=True))
    wanted = plan("connect_four", len(games), 0, opponents=((None, 0), (None, 0)))
    controllers = np.stack([1 + seats, 2 - seats], axis=1)
    runner = GameRunner(
        leaves_for(wanted, len(games)),
        RunnerSettings(0, PLAIN),
        temperature=0.0,
        seed=5,
        learner_seed=9,
        streams=np.arange(len(games)),
        first_player=first,
        controllers=controllers,
        opponents=wanted.opponents,
        keys=True,
    )
    while not runner.is_done:
        runner.advance()
        for number in (0, 1):
            slots, _ = runner.outside(number)
            played = runner.positions(slots).ply
            moves = [int(games[slot][0][ply]) - 1 for slot, ply in zip(slots, played, strict=True)]
            runner.play(slots, np.array(moves, dtype=np.int64))
    assert runner.record.keys.dtype == np.int64
    return runner.record.keys.tolist()


def test_keys_tell_games_apart_as_the_players_see_them() -> None:
    """Equal games that are counted twice, because who is player 0 differs; or different games that are counted once."""
    one, again, exchanged, *others = keys_of(
        ("1212121", 0, 0),
        ("1212121", 0, 0),
        ("1212121", 1, 1),  # the same side begins, from the other seat
        ("1212121", 0, 1),  # the other side begins
        ("1213121", 0, 0),
        ("2121212", 0, 0),
        ("2233441", 0, 0),
        ("2233445", 0, 0),  # only the last move differs, which nobody sees in order to move
    )
    assert again == exchanged == one
    assert len({one, *others}) == 6


def test_nothing_is_kept_unasked() -> None:
    record, kept = played("beasty_bar", record=False), played("beasty_bar")
    assert not record.keeps_positions and not record.keeps_keys and len(record) == 9
    for name in ("states", "policies", "movers", "position_outcomes", "position_margins", "position_values", "keys"):
        assert len(getattr(record, name)) == 0, name
    assert record.outcomes.shape == kept.outcomes.shape and (record.scores.sum(axis=1) > 0).all()


def test_a_record_without_games_is_empty() -> None:
    record = GameRecord(get_game("beasty_bar"), 0, keeps_positions=True, wants_exact=True)
    assert len(record) == len(record.outcomes) == len(record.states) == len(record.position_outcomes) == 0
    assert record.scores.shape == (0, 2)
    with pytest.raises(TypeError):
        GameRecord(None, 0, keeps_positions=True, wants_exact=True)  # type: ignore[arg-type]
