"""Batched information-set search: its counts, what it may see, its signs, and a slow tree that must agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference import rules as reference
from reference.search import Answer, scrambled

from sim_core import (
    ACTIONS,
    OBSERVATION_LAYOUT,
    Action,
    GameBatch,
    State,
    search,
    select_random_action,
    solve_endgame,
)

A = len(ACTIONS)
SPECIES = "LHCSGZEXMKPU"  # strongest first
PLACES = {name: sum(size for _, size in OBSERVATION_LAYOUT[:k]) for k, (name, _) in enumerate(OBSERVATION_LAYOUT)}
LEAD, HAND, PLY = PLACES["own lead / 12"], PLACES["own hand"], PLACES["ply, one-hot"]


def neutral(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
    return np.zeros(legal_mask.shape, np.float32), np.zeros(len(observations), np.float32)


def lead(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
    """More points in the bar are better for the player to move."""
    return np.zeros(legal_mask.shape, np.float32), np.tanh(4 * observations[:, LEAD])


def against_lead(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
    logits, values = lead(observations, legal_mask)
    return logits, -values


def played(batch: GameBatch, plies: int | np.ndarray) -> GameBatch:
    """The batch after random moves up to those plies; it is changed in place."""
    target = np.broadcast_to(plies, len(batch))
    while (going := (batch.ply < target) & ~batch.is_terminal).any():
        batch.step(np.array([select_random_action(batch, i) if on else -1 for i, on in enumerate(going)]))
    return batch


def every_ply(n: int = 100, seed: int = 1, **options: Any) -> GameBatch:
    """Random positions at plies 0 to 24 in turn."""
    return played(GameBatch(n, seed, **options), np.arange(n) % 25)


def same(first: Any, second: Any) -> bool:
    return all((a == b).all() for a, b in zip(first, second, strict=True))


# ---------------------------------------------------------------------- counts


@pytest.mark.parametrize("simulations", [1, 2, 33])
@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals"])
def test_counts_policy_and_value(simulations: int, game: str) -> None:
    batch = every_ply(game=game)
    over, solvable, legal = batch.is_terminal, batch.is_solvable, batch.legal_mask()
    found = search(batch, scrambled, simulations, seed=3)
    assert found.visit_counts.dtype == np.int32
    assert found.policy.dtype == found.value.dtype == np.float32
    assert found.visit_counts.shape == found.policy.shape == legal.shape
    assert found.value.shape == (len(batch),)
    assert (found.visit_counts[~legal] == 0).all()
    assert (found.visit_counts >= 0).all()
    assert (found.visit_counts.sum(axis=1) == np.where(over, 0, simulations)).all()
    assert (found.policy[~legal] == 0).all()
    assert np.abs(found.policy.sum(axis=1) - ~over).max() < 1e-5
    assert (np.abs(found.value) <= 1).all()
    assert (found.value[over] == 0).all()
    searched = ~over & ~solvable
    shares = found.visit_counts[searched] / simulations
    assert np.abs(found.policy[searched] - shares).max() < 1e-6
    assert over.any() and searched.any() and (solvable & ~over).any()


def test_nothing_to_search() -> None:
    def never(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        raise AssertionError("there is no position to evaluate")

    for batch in (GameBatch(0), played(GameBatch(3), 24)):
        found = search(batch, never, 4)
        assert found.visit_counts.shape == (len(batch), A)
        assert not found.visit_counts.any() and not found.policy.any() and not found.value.any()


def test_the_batch_is_left_as_it_was() -> None:
    batch, twin = every_ply(), every_ply()
    search(batch, scrambled, 20, threads=2, dirichlet_fraction=0.25)
    assert (batch.packed() == twin.packed()).all()
    batch.play_random()
    twin.play_random()
    assert (batch.packed() == twin.packed()).all()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_nothing(threads: int) -> None:
    batch = every_ply(150)
    options = {"seed": 5, "dirichlet_fraction": 0.25}
    assert same(search(batch, scrambled, 24, **options), search(batch, scrambled, 24, threads=threads, **options))


def test_rows_do_not_depend_on_the_others() -> None:
    batch = every_ply(75)
    options = {"seed": 5, "dirichlet_fraction": 0.25, "dirichlet_alpha": 0.3}
    whole = search(batch, scrambled, 24, **options)
    order = np.random.default_rng(0).permutation(75)
    shuffled = search(batch.take(order), scrambled, 24, **options)
    assert same(shuffled, (part[order] for part in whole))
    for row in range(75):
        assert same(search(batch.take([row]), scrambled, 24, **options), (part[[row]] for part in whole))


def test_games_of_equal_position_have_streams_of_their_own() -> None:
    """Fails if equal positions in a batch get the same determinizations, whatever the seed."""
    copies = GameBatch.from_states([State.initial(4)] * 40)
    counts = search(copies, scrambled, 40, seed=1).visit_counts
    assert len(np.unique(counts, axis=0)) > 20
    assert (search(copies, scrambled, 40, seed=2).visit_counts != counts).any()


# ---------------------------------------------------------------------- what it sees


def test_what_the_mover_cannot_see_changes_nothing() -> None:
    """Fails if hidden cards change the result, noise and values included, as in a search of the true state."""
    batch = played(GameBatch(64, 9), np.arange(64) % 16)
    states = [batch.state(i) for i in range(64)]
    options = {"seed": 5, "dirichlet_fraction": 0.25}
    true = search(GameBatch.from_states(states), scrambled, 48, **options)
    changed = 0
    for seed in range(4):
        others = [state.determinize(seed) for state in states]
        changed += sum(other != state for other, state in zip(others, states, strict=True))
        assert same(search(GameBatch.from_states(others), scrambled, 48, **options), true)
    assert changed > 200


def test_the_evaluator_sees_positions_with_their_own_legal_actions() -> None:
    """Fails if a leaf has the root's legal actions, or is shown to the wrong player."""
    batch = every_ply(60)
    calls: list[tuple[np.ndarray, np.ndarray]] = []

    def recording(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        assert observations.dtype == np.float32 and legal_mask.dtype == np.bool_
        calls.append((observations.copy(), legal_mask.copy()))
        return scrambled(observations, legal_mask)

    search(batch, recording, 30)
    asked = ~batch.is_terminal & ~batch.is_solvable  # the endgame needs no network
    assert len(calls) <= 31
    assert (calls[0][0] == batch.observe()[asked]).all()
    assert (calls[0][1] == batch.legal_mask()[asked]).all()
    letters = [SPECIES.index(text[0]) for text in ACTIONS]
    plies = Counter[int]()
    for observations, legal in calls:
        playable = np.zeros((len(legal), 12), bool)
        for k, species in enumerate(letters):
            playable[:, species] |= legal[:, k]
        assert (playable == observations[:, HAND : HAND + 12]).all()
        empty = ~observations[:, :96].any(axis=1)
        assert (legal[empty][:, ACTIONS.index("K")] == playable[empty][:, SPECIES.index("K")]).all()
        assert not legal[~empty][:, ACTIONS.index("K")].any()
        plies.update(observations[:, PLY:].argmax(axis=1).tolist())
    assert set(plies) == set(range(16))


# ---------------------------------------------------------------------- the exact endgame


def endgames(n: int, first: int) -> tuple[GameBatch, list[State]]:
    batch = played(GameBatch(n, 21), first + np.arange(n) % (24 - first))
    return batch, [batch.state(i) for i in range(n)]


def exact(value_of: Callable[[State], int], state: State) -> tuple[int, set[int]]:
    """The value for the mover, and the actions that keep it."""
    values = {action.id: -value_of(state.step(action)) for action in state.legal_actions()}
    return max(values.values()), {k for k, value in values.items() if value == max(values.values())}


def hardest(value_of: Callable[[State], int], state: State, keeping: set[int]) -> set[int]:
    """Those of the best actions after which a reply drawn at random costs the other player most."""

    def value_for_mover(after: State) -> int:
        if after.is_terminal:
            return {None: 0, state.to_move: 1, 1 - state.to_move: -1}[after.winner()]
        return value_of(after) if after.to_move == state.to_move else -value_of(after)

    means = {}
    for action in (Action(k) for k in keeping):
        after = state.step(action)
        replies = [after.step(reply) for reply in after.legal_actions()] or [after]
        means[action.id] = sum(map(value_for_mover, replies)) / len(replies)
    return {k for k, mean in means.items() if mean > max(means.values()) - 1e-9}


def check_solved(first: int, n: int, value_of: Callable[[State], int]) -> set[int]:
    batch, states = endgames(n, first)
    found = search(batch, scrambled, 16, seed=1)
    for i, state in enumerate(states):
        value, keeping = exact(value_of, state)
        assert found.value[i] == value, str(state)
        assert set(np.flatnonzero(found.policy[i])) == keeping, str(state)
        assert set(np.flatnonzero(found.visit_counts[i])) <= keeping
        assert np.abs(found.policy[i, sorted(keeping)] - 1 / len(keeping)).max() < 1e-6
        assert int(found.actions[i]) in hardest(value_of, state, keeping), str(state)
    return set(found.value.tolist())


def test_the_last_six_plies_are_exact_by_plain_minimax() -> None:
    def value_of(state: State) -> int:
        return reference.minimax_endgame(reference.parse(str(state)))

    assert check_solved(19, 60, value_of) == {-1.0, 0.0, 1.0}


def test_from_ply_16_on_value_and_policy_are_exact() -> None:
    """Fails if value or policy differ from the solver's values of the positions that follow."""

    def value_of(state: State) -> int:
        if state.is_terminal:
            return {None: 0, state.to_move: 1, 1 - state.to_move: -1}[state.winner()]
        return solve_endgame(state)[0]

    assert check_solved(16, 96, value_of) == {-1.0, 0.0, 1.0}


# ---------------------------------------------------------------------- playing strength

Choose = Callable[[GameBatch], np.ndarray]


def searching(evaluate: Callable[..., Answer], simulations: int, seed: int = 1) -> Choose:
    return lambda batch: search(batch, evaluate, simulations, seed=seed).visit_counts.argmax(axis=1)


def built_in(name: str) -> Choose:
    return lambda batch: batch.opponent_actions(name, seed=1)


def score(first: Choose, second: Choose, games: int, seed: int) -> float:
    """The first's share of the points over deals played from both seats."""
    numbers = np.arange(games)
    batch = GameBatch(games, seed, streams=numbers // 2, first_player=numbers // 2 % 2)
    while not batch.is_terminal.all():
        mine = batch.to_move == numbers % 2
        actions = np.full(games, -1)
        for choose, rows in ((first, np.flatnonzero(mine)), (second, np.flatnonzero(~mine))):
            if len(rows):
                actions[rows] = choose(batch.take(rows))
        batch.step(actions)
    outcomes = batch.outcomes() * np.where(numbers % 2 == 0, 1, -1)
    return float((outcomes.mean() + 1) / 2)


def test_a_value_of_the_right_sign_wins_against_its_negation_and_random() -> None:
    """Fails if the value's sign is turned too seldom or too often, which turns each player into the other."""
    assert score(searching(lead, 48), searching(against_lead, 48), 200, seed=31) > 0.75
    assert score(searching(lead, 48), built_in("random"), 200, seed=32) > 0.93
    assert score(searching(lead, 48), built_in("heuristic"), 200, seed=33) > 0.6


def test_search_without_knowledge_beats_random() -> None:
    assert score(searching(neutral, 128), built_in("random"), 400, seed=34) > 0.85


# ---------------------------------------------------------------------- root noise


def test_root_noise_is_of_the_seed() -> None:
    batch = played(GameBatch(60, 2), 4)
    plain = search(batch, scrambled, 32, seed=1)
    noisy = search(batch, scrambled, 32, seed=1, dirichlet_fraction=0.25)
    assert same(noisy, search(batch, scrambled, 32, seed=1, dirichlet_fraction=0.25))
    assert (noisy.visit_counts != plain.visit_counts).any(axis=1).mean() > 0.5
    other = search(batch, scrambled, 32, seed=2, dirichlet_fraction=0.25)
    assert (noisy.visit_counts != other.visit_counts).any(axis=1).mean() > 0.5
    assert same(plain, search(batch, scrambled, 32, seed=1, dirichlet_fraction=0.0))


@pytest.mark.parametrize("alpha", [0.3, 0.5, 2.0])
def test_root_noise_is_dirichlet(alpha: float) -> None:
    """Fails if the noise has another mean or variance: without priors and values, visits show it."""
    batch = GameBatch(1500, 12)
    rows = np.flatnonzero(batch.legal_mask().sum(axis=1) == 4)
    batch = batch.take(rows)
    found = search(batch, neutral, 150, c_puct=1e6, dirichlet_fraction=1.0, dirichlet_alpha=alpha, threads=2)
    shares = found.policy[batch.legal_mask()].reshape(-1, 4)
    variance = 0.25 * 0.75 / (4 * alpha + 1)
    margin = 5 / math.sqrt(len(shares))
    assert np.abs(shares.mean(axis=0) - 0.25).max() < margin * math.sqrt(variance)
    assert np.abs(shares.var(axis=0) / variance - 1).max() < margin * 2.5
    untouched = search(batch, neutral, 4, c_puct=1e6, dirichlet_fraction=0.0)
    assert (untouched.visit_counts[batch.legal_mask()] == 1).all()


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "answer",
    [
        lambda n: (np.zeros((n, A - 1)), np.zeros(n)),
        lambda n: (np.zeros((n + 1, A)), np.zeros(n)),
        lambda n: (np.zeros((n, A)), np.zeros(n + 1)),
        lambda n: (np.zeros((n, A)), np.zeros((n, 1))),
        lambda n: (np.zeros(n * A), np.zeros(n)),
        lambda n: (np.zeros((n, A)), 0.0),
        lambda n: (np.full((n, A), np.nan), np.zeros(n)),
        lambda n: (np.full((n, A), np.inf), np.zeros(n)),
        lambda n: (np.zeros((n, A)), np.full(n, np.nan)),
        lambda n: (np.zeros((n, A)), np.full(n, -np.inf)),
        lambda n: (np.zeros((n, A)), np.full(n, np.inf)),
    ],
)
def test_an_evaluators_wrong_answer_is_refused(answer: Callable[[int], Answer]) -> None:
    batch = every_ply(10)
    with pytest.raises(ValueError, match=r"^evaluate: "):
        search(batch, lambda observations, legal_mask: answer(len(observations)), 4)


def test_an_evaluators_error_comes_through() -> None:
    def failing(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        raise KeyError("weights")

    with pytest.raises(KeyError, match="weights"):
        search(every_ply(10), failing, 4, threads=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("simulations", value) for value in (0, -1, 1.5, True, "8", None, 10**7)],
        *[("c_puct", value) for value in (-1.0, math.nan, math.inf)],
        *[("dirichlet_fraction", value) for value in (-0.1, 1.1, math.nan)],
        *[("dirichlet_alpha", value) for value in (0.0, -1.0, math.nan, math.inf)],
        *[("threads", value) for value in (0, -1, 1.5, "2", 10**6)],
        *[("seed", value) for value in (-1, 2**64, 0.5)],
    ],
)
def test_wrong_arguments_are_refused_by_name(name: str, value: object) -> None:
    arguments = {"simulations": 2} | {name: value}
    with pytest.raises(ValueError, match=rf"^{name}: "):
        search(GameBatch(2), neutral, **arguments)
