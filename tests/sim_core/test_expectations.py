"""What a runner's learner expects of the other side: of whom exact values are, what the network is told and asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.search import Answer, scrambled
from support.runner_tools import GUMBEL, middle

from sim_core import GameBatch, GameRunner, LeafBatch, RunnerSettings, Trees, get_game
from sim_core.expectations import unknown_plays

RULES = get_game("beasty_bar")
SIZE = RULES.observation_size
TOLD = len(RULES.opponents) + RULES.hidden_size


class Watching:
    """Answers by the observation alone, and notes the rows that it was asked about."""

    condition_size = TOLD

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def __call__(self, rows: np.ndarray, legal_mask: np.ndarray) -> Answer:
        self.rows.append(rows.copy())
        return scrambled(np.ascontiguousarray(rows[:, :SIZE]), legal_mask)


def played(opponent: str | None, model: str = "infer", **changes: Any) -> tuple[GameRunner, Watching]:
    """Plays 20 games of a learner in seat 0, which keeps its positions."""
    leaves, evaluate, count = LeafBatch(Trees("beasty_bar", 20, 4), condition_size=TOLD), Watching(), 20
    arguments: dict[str, Any] = {"simulations": 4, "search": GUMBEL, "opponent_model": model, **changes}
    runner = GameRunner(
        leaves, RunnerSettings(**arguments), temperature=1.0, seed=5, learner_seed=9, streams=np.arange(count),
        first_player=np.arange(count) % 2, controllers=np.tile([0, 1], (count, 1)), opponents=[(opponent, 3)],
        record=True,
    )  # fmt: skip
    while not runner.is_done:
        rows = runner.advance()
        if opponent is None:
            slots, _ = runner.outside(0)
            runner.play(slots, middle(runner.positions(slots)))
        if rows:
            leaves.evaluate(evaluate, rows, 1)
    return runner, evaluate


@pytest.mark.parametrize("opponent", ["queue", "online"])
def test_the_network_is_told_more_and_more_surely_whom_it_plays(opponent: str) -> None:
    """Fails if posteriors are told in another order, or start as anything but what is known: nothing."""
    runner, _ = played(opponent)
    told = runner.record.conditions.reshape(20, 12, TOLD).astype(float) / 255
    who, cards = told[..., : len(RULES.opponents)], told[..., len(RULES.opponents) :]
    assert np.abs(who[::2, 0] - 0.05).max() < 0.003  # one half is for nobody known, the rest for ten
    mine = who[..., RULES.opponents.index(opponent)].mean(axis=0)
    assert mine[0] < 0.15 and mine[-1] > 0.3 and mine[-1] > 3 * mine[0]
    # of the four cards of a hand, so much is told as is known of the opponent
    assert np.abs(cards[:, :6].sum(axis=2) - 4 * who[:, :6].sum(axis=2)).max() < 0.1


def test_the_network_is_told_nothing_where_it_is_asked_about_the_other_side() -> None:
    """Fails if it is asked for fewer or more than 16 hands where there are more, or with what the learner believes."""
    _, evaluate = played("online", simulations=0)
    rows = np.concatenate(evaluate.rows)
    ply = rows[:, SIZE - 24 : SIZE].argmax(axis=1)
    own = rows[:, SIZE:].any(axis=1)
    # 12 turns of each player, in half of the games from each side
    for turn in range(24):
        asked = (ply == turn) & ~own
        assert asked.sum() <= 16 * 10
        if turn < 12:
            assert asked.sum() > 16 * 9 - 40
    assert (own.sum(), len(rows)) != (len(rows), 0)
    played_alone = np.concatenate(played("online", "told", simulations=0)[1].rows)
    assert played_alone[:, SIZE:].any(axis=1).all()


def test_exact_values_are_those_against_the_true_opponent() -> None:
    """Fails if a position learns the value against a guess, which is wrong in the mean."""
    runner, _ = played("distilled_outcome", value_target="endgame")
    kept, outcomes = runner.record, []
    for state in kept.states[kept.states.shape[0] // 20 - 1 :: kept.states.shape[0] // 20]:
        outcomes.append(RULES.best_responses("distilled_outcome", state.tobytes())[0])
    last = kept.position_outcomes.reshape(20, 12)[:, -1]
    assert last == pytest.approx(np.array(outcomes), abs=1e-6)


def test_opponents_outside_are_inferred_too() -> None:
    inferring, plain = played(None)[0], played(None, "none")[0]
    assert inferring.record.conditions.any() and not plain.record.conditions.any()
    assert inferring.record.states.shape == plain.record.states.shape
    assert (inferring.record.states != plain.record.states).any()


def parts(runner: GameRunner) -> list[np.ndarray]:
    """Returns what a runner's games are compared by."""
    record = runner.record
    return [record.scores, record.states, record.policies, record.conditions]


def test_only_known_opponents_are_told_apart() -> None:
    """Fails if others are told, or if the order of names, which says nothing, changes a game."""
    runner, _ = played("queue", known_opponents=("online", "queue"))
    told = runner.record.conditions.reshape(20, 12, TOLD)[..., : len(RULES.opponents)].astype(float) / 255
    places = [RULES.opponents.index(name) for name in ("online", "queue")]
    assert np.abs(told[::2, 0, places] - 0.25).max() < 0.003  # one half is for nobody known
    assert not np.delete(told, places, axis=2).any()
    assert told[:, -1, places[1]].mean() > 0.6
    for names in (["queue", "online"], ("online", "queue", "online")):
        again, _ = played("queue", known_opponents=names)
        assert all(np.array_equal(a, b) for a, b in zip(parts(again), parts(runner), strict=True))
    assert not np.array_equal(runner.record.states, played("queue")[0].record.states)


def test_all_names_are_as_none() -> None:
    """Fails if games in which all are known depend on whether they are named."""
    named, all_known = played("queue", known_opponents=RULES.opponents[::-1])[0], played("queue")[0]
    assert all(np.array_equal(a, b) for a, b in zip(parts(named), parts(all_known), strict=True))


def test_where_nobody_is_known_nothing_is_expected() -> None:
    """Fails if nobody to tell apart is searched or told as anything but no opponent."""
    (inferring, asked), (plain, alone) = played("queue", known_opponents=()), played("queue", "none")
    assert all(np.array_equal(a, b) for a, b in zip(parts(inferring), parts(plain), strict=True))
    assert sum(map(len, asked.rows)) == sum(map(len, alone.rows)) and not inferring.record.conditions.any()


@pytest.mark.parametrize("knows", [False, True])
def test_exact_values_against_one_that_is_not_known_are_those_of_perfect_play(knows: bool) -> None:
    """Fails if a position learns the value against an opponent that the learner cannot find out, or not that one's."""
    runner, _ = played("heuristic", value_target="endgame", known_opponents=["heuristic" if knows else "queue"])
    kept = runner.record
    solvable = GameBatch.from_packed(kept.states, game="beasty_bar").is_solvable
    states = [state.tobytes() for state in kept.states[solvable]]
    against = [RULES.best_responses("heuristic", state)[0] for state in states]
    perfect = [RULES.optimal_actions(state)[0] for state in states]
    assert np.count_nonzero(np.abs(np.subtract(against, perfect)) > 1e-6) > 9
    assert kept.position_outcomes[solvable] == pytest.approx(np.array(against if knows else perfect), abs=1e-6)


@pytest.mark.parametrize(
    ("names", "wrong"), [(("queue", "tactical"), "tactical"), ("queue", "queue"), ([3], 3), (3, 3)]
)
def test_an_unknown_known_opponent_is_named(names: Any, wrong: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"^known_opponents: {wrong!r} given, expected a list of some of random, .*online"
    ):
        played("queue", known_opponents=names)


def test_what_nobody_known_plays_is_the_network_s_play_with_some_of_anything() -> None:
    assert unknown_plays(0.5, 4) == pytest.approx(0.9 * 0.5 + 0.1 / 4)


def test_a_game_without_hidden_hands_gives_nothing_to_infer_by() -> None:
    leaves = LeafBatch(Trees("connect_four", 1, 4))
    expected = "expected one of none, told, random, tactical; connect_four does not tell what hands"
    with pytest.raises(ValueError, match=rf"^opponent_model: 'infer' given, {expected}"):
        GameRunner(
            leaves, RunnerSettings(4, opponent_model="infer"), temperature=0.0, seed=1, learner_seed=1, streams=[0],
            first_player=[0], controllers=[[0, 0]],
        )  # fmt: skip
