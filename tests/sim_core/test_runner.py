"""The game runner against a plain loop that plays the same games one by one, and what its slots promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from reference.search import Answer, scrambled

from sim_core import GameBatch, GameRunner, LeafBatch, RunnerSettings, SearchSettings, State, Trees, get_game, search

GAMES = ("beasty_bar", "connect_four")
Evaluate = Callable[[np.ndarray, np.ndarray], Answer]
OUTSIDE = (None, 0)
GUMBEL = SearchSettings(root_selection="gumbel", policy_target="completed_q", gumbel_scale=0.5)
PLAIN = SearchSettings()
NOISY = SearchSettings(dirichlet_fraction=0.25)

_RNG = np.random.default_rng(7)
_WEIGHTS = _RNG.integers(1, 2**20, (200, 34))


def evaluator(game: str) -> Evaluate:
    """Arbitrary logits and values of each row alone, by whole numbers and so exactly."""
    if game == "beasty_bar":
        return scrambled

    def evaluate(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        whole = np.rint(observations * 42).astype(np.int64)  # the ply is one of 1/42
        mixed = (whole @ _WEIGHTS[: whole.shape[1], : legal_mask.shape[1] + 1]) % 1_000_003 / 1_000_003 * 2 - 1
        return mixed[:, 1:].astype(np.float32), mixed[:, 0].astype(np.float32)

    return evaluate


class Plan(NamedTuple):
    """The arguments of a runner."""

    game: str
    simulations: int
    search: SearchSettings
    temperature: float
    streams: np.ndarray
    first_player: np.ndarray
    controllers: np.ndarray
    opponents: tuple[tuple[str | None, int], ...]


class Played(NamedTuple):
    """Every game's outcome and scores; the learner's positions, their targets and outcomes."""

    outcomes: np.ndarray
    scores: np.ndarray
    states: np.ndarray
    policies: np.ndarray
    position_outcomes: np.ndarray


def plan(
    game: str = "beasty_bar",
    games: int = 11,
    simulations: int = 8,
    search: SearchSettings = PLAIN,
    temperature: float = 1.0,
    opponents: tuple[tuple[str | None, int], ...] = (),
) -> Plan:
    """Self-play where there is no opponent; else one seat, in turn, against each opponent in turn."""
    numbers = np.arange(games)
    controllers = np.zeros((games, 2), dtype=np.int64)
    if opponents:
        controllers[numbers, numbers % 2] = 1 + numbers // 2 % len(opponents)
    streams = np.random.default_rng(1).permutation(games) * 3 + 2
    return Plan(game, simulations, search, temperature, streams, numbers // 2 % 2, controllers, opponents)


def leaves_for(plan: Plan, slots: int) -> LeafBatch:
    return LeafBatch(Trees(plan.game, slots, max(plan.simulations, 1)))


def runner_for(plan: Plan, leaves: LeafBatch, **changes: Any) -> GameRunner:
    settings = RunnerSettings(changes.pop("simulations", plan.simulations), changes.pop("search", plan.search))
    arguments: dict[str, Any] = {
        "temperature": plan.temperature,
        "seed": 5,
        "learner_seed": 9,
        "streams": plan.streams,
        "first_player": plan.first_player,
        "controllers": plan.controllers,
        "opponents": plan.opponents,
        "record": True,
    }
    return GameRunner(leaves, settings, **(arguments | changes))


def middle(batch: GameBatch) -> np.ndarray:
    """An outside opponent's moves: the middle one of the legal actions."""
    mask = batch.legal_mask()
    return np.array([np.flatnonzero(row)[row.sum() // 2] for row in mask], dtype=np.int64)


def run(plan: Plan, slots: int, threads: int = 1, leaves: LeafBatch | None = None) -> Played:
    leaves = leaves or leaves_for(plan, slots)
    runner, evaluate = runner_for(plan, leaves), evaluator(plan.game)
    while not runner.is_done:
        rows = runner.advance(threads)
        for number, opponent in enumerate(plan.opponents):
            if opponent[0] is None:
                waiting, _ = runner.outside(number)
                runner.play(waiting, middle(runner.positions(waiting)))
        if rows:
            leaves.evaluate(evaluate, rows, threads)
    return Played(runner.outcomes(), runner.scores(), *runner.positions_kept())


# ---------------------------------------------------------------------- the same games, one by one


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(), dtype=np.float32)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def drawn(policy: np.ndarray, temperature: float, uniform: float) -> int:
    """Inverse transform of one number; at temperature 0 the first best action."""
    if temperature == 0.0:
        return int(policy.argmax())
    weights = (policy.astype(np.float64) / policy.max()) ** (1 / temperature)
    return int(np.searchsorted(np.cumsum(weights), uniform * weights.sum(), side="right"))


def prior_of(plan: Plan, batch: GameBatch) -> np.ndarray:
    """The network's policy over the actions of a batch of one game."""
    legal = batch.legal_mask()
    logits, _ = evaluator(plan.game)(batch.observe(), legal)
    policy = np.zeros(batch.num_actions, dtype=np.float32)
    policy[legal[0]] = softmax(logits[0, legal[0]])
    return policy


def learners_move(plan: Plan, batch: GameBatch, record: bool) -> tuple[int, np.ndarray]:
    """What the learner plays in a batch of one game, and the policy target it keeps."""
    uniform = float(batch.uniforms(9)[0])
    if plan.simulations == 0:
        policy = prior_of(plan, batch)
        return drawn(policy, plan.temperature, uniform), np.zeros_like(policy)
    found = search(batch, evaluator(plan.game), plan.simulations, seed=9, settings=plan.search)
    policy, settled = found.policy[0], int(found.actions[0])
    if batch.is_solvable[0]:
        if record:
            # the prior's preference among the best actions stays
            policy = np.where(policy > 0, np.maximum(prior_of(plan, batch), np.float32(1e-6)), np.float32(0))
            policy = policy / np.cumsum(policy)[-1]
        plays_settled = plan.temperature == 0.0
    else:
        plays_settled = plan.search.root_selection == "gumbel"
    return settled if plays_settled else drawn(policy, plan.temperature, uniform), policy


def one_by_one(plan: Plan, record: bool = True) -> Played:
    outcomes, scores, kept = [], [], []
    for number, stream in enumerate(plan.streams.tolist()):
        batch = GameBatch(1, 5, game=plan.game, first_player=int(plan.first_player[number]), streams=[stream])
        mine = []
        while not batch.is_terminal[0]:
            mover = int(batch.to_move[0])
            controller = int(plan.controllers[number, mover])
            if controller == 0:
                action, policy = learners_move(plan, batch, record)
                mine.append((batch.packed()[0], policy, mover))
            else:
                name, seed = plan.opponents[controller - 1]
                action = int(middle(batch)[0] if name is None else batch.opponent_actions(name, seed)[0])
            batch.step([action])
        outcome = int(batch.outcomes()[0])
        outcomes.append(outcome)
        scores.append(batch.scores()[0])
        kept += [(state, policy, outcome if mover == 0 else -outcome) for state, policy, mover in mine]
    states, policies, ends = zip(*kept, strict=True)
    return Played(*map(np.array, (outcomes, scores, states, policies, ends)))


def check_same(found: Played, expected: Played) -> None:
    for part, one, other in zip(Played._fields, found, expected, strict=True):
        assert one.shape == other.shape, part
        assert (one == other).all(), part


def check_same_as_one_by_one(wanted: Plan, found: Played, expected: Played) -> None:
    """Where a target is made of the prior, numpy's exponential may be another than C's in the last bit."""
    solved = GameBatch.from_packed(expected.states, game=wanted.game).is_solvable
    assert np.abs(found.policies[solved] - expected.policies[solved]).max(initial=0) < 1e-6
    policies = np.where(solved[:, None], expected.policies, found.policies)
    check_same(found._replace(policies=policies), expected)


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
    """Streams, seats, targets, sampling and solved moves, bit for bit; with slots that are filled again."""
    wanted = plan(game, 11, simulations, search, temperature, OPPONENTS[opponents][game])
    expected = one_by_one(wanted)
    found = run(wanted, 4, threads=1)
    check_same_as_one_by_one(wanted, found, expected)
    check_same(run(wanted, 7, threads=3), found)
    assert (np.asarray(found.states).shape[0] > 0) and len(found.outcomes) == 11


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("search", [PLAIN, NOISY, GUMBEL], ids=["plain", "noisy", "gumbel"])
def test_slots_and_threads_change_nothing(game: str, search: SearchSettings) -> None:
    wanted = plan(game, 40, 8, search, 1.0, OPPONENTS["built_in"][game])
    expected = run(wanted, 40)
    for slots, threads in ((1, 1), (3, 3), (16, 2), (100, 3)):
        check_same(run(wanted, slots, threads), expected)


def test_leaves_are_used_again() -> None:
    """What a runner leaves behind in trees and buffers is nothing to the next one, also where it was given up."""
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
    """Then solved positions need no network: each of the best actions is as good."""
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
    assert (runner.outcomes() == expected.outcomes).all() and (runner.scores() == expected.scores).all()
    assert [len(part) for part in runner.positions_kept()] == [0, 0, 0]
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
        assert runner.simulations_done == 0 and len(runner.positions_kept()[0]) == 0
        batch = GameBatch(9, 5, streams=wanted.streams, first_player=wanted.first_player)
        while not batch.is_terminal.all():
            batch.step(batch.opponent_actions("random", 1))
        assert (runner.outcomes() == batch.outcomes()).all() and (runner.scores() == batch.scores()).all()


# ---------------------------------------------------------------------- full batches, progress


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(("simulations", "opponents"), [(0, ()), (4, ()), (4, (("random", 1),))])
def test_network_calls_are_full_while_games_are_left(
    game: str, simulations: int, opponents: tuple[tuple[str, int], ...]
) -> None:
    """Each slot has a leaf in every call but the ones in which its game ended: the next game begins with the next."""
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
    """Number k is asked for the games of its own in which it is to move, and for no other."""
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
    """A move in a game that waits for the network would leave its tree with another game's root."""
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


@pytest.mark.parametrize("search", [NOISY, GUMBEL], ids=["visits", "completed_q"])
def test_sums_that_overflow_are_named(search: SearchSettings) -> None:
    """Targets or values of NaN among the positions to learn from, where every answer was finite."""
    wanted = plan("beasty_bar", 6, 8, search)
    leaves = leaves_for(wanted, 6)

    def large(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        logits, values = scrambled(observations, legal_mask)
        return logits, values * np.float32(3e38)

    runner = runner_for(wanted, leaves)
    with pytest.raises(ValueError, match=r"^evaluate: returned NaN .*too large to be added up"):
        for _ in range(40):
            leaves.evaluate(large, runner.advance(), 1)
    assert np.isfinite(runner.positions_kept()[1]).all()


# ---------------------------------------------------------------------- what is refused


def test_leaves_must_be_answered_first() -> None:
    """Old answers would be taken for new ones, and the first ones lie nowhere."""
    wanted = plan("beasty_bar", 6)
    leaves = leaves_for(wanted, 6)
    runner = runner_for(wanted, leaves)
    rows = runner.advance()
    with pytest.raises(ValueError, match=r"^rows: 5 given, 6 leaves wait"):
        leaves.evaluate(scrambled, 5, 1)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^leaves: 6 .*wait for their evaluation"):
            runner.advance()
    leaves.evaluate(scrambled, rows, 1)
    rows = runner.advance()

    def failing(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        raise KeyError("weights")

    with pytest.raises(KeyError):
        leaves.evaluate(failing, rows, 1)
    with pytest.raises(ValueError, match=r"^leaves: 6 "):
        runner.advance()
    leaves.evaluate(scrambled, rows, 1)
    assert runner.advance() == 6


@pytest.mark.parametrize("simulations", [0, 4])
@pytest.mark.parametrize("which", ["logits", "values"])
def test_answers_that_are_not_finite_are_named(simulations: int, which: str) -> None:
    wanted = plan("beasty_bar", 6, simulations)
    leaves = leaves_for(wanted, 6)

    def diverged(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        logits, values = scrambled(observations, legal_mask)
        (logits if which == "logits" else values)[-1] = np.nan
        return logits, values

    runner = runner_for(wanted, leaves)
    leaves.evaluate(diverged, runner.advance(), 1)
    if simulations == 0 and which == "values":
        runner.advance()  # the policy alone is asked for
        return
    with pytest.raises(ValueError, match=r"^evaluate: returned NaN"):
        runner.advance()


WRONG: list[tuple[str, dict[str, Any]]] = [
    *[("temperature", {"temperature": value}) for value in (-0.1, float("nan"), float("inf"))],
    *[("simulations", {"simulations": value}) for value in (-1, 9)],
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
    assert (runner.scores() == run(wanted, 2).scores).all()


@pytest.mark.parametrize("game", GAMES)
def test_positions_kept_are_positions(game: str) -> None:
    found = run(plan(game, 9, 8, GUMBEL, 1.0, OPPONENTS["built_in"][game]), 4)
    batch = GameBatch.from_packed(found.states, game=game)
    assert not batch.is_terminal.any()
    assert np.abs(found.policies.sum(axis=1) - 1).max() < 1e-5
    assert (found.policies[~batch.legal_mask()] == 0).all()
    assert State(found.states[0].tobytes(), game).ply < get_game(game).max_plies
