"""Gumbel roots: sequential halving's schedule, the policy of completed Q, and the action that is settled on."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.search import Answer

from sim_core import GameBatch, State, get_game, search
from sim_core.tree_search.halving import considered_visits

GUMBEL: dict[str, Any] = {
    "root_selection": "gumbel",
    "policy_target": "completed_q",
    "c_visit": 50.0,
    "c_scale": 0.1,
}
Evaluate = Callable[[np.ndarray, np.ndarray], Answer]


def flat(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
    return np.zeros(legal_mask.shape, np.float32), np.zeros(len(observations), np.float32)


def random_numbers(game: str, seed: int, spread: float) -> Evaluate:
    """Logits of that spread and values in (-1, 1), a hash of each row alone."""
    handle = get_game(game)
    weights = np.random.default_rng(seed).normal(size=(handle.observation_size, handle.num_actions + 1)) * 50

    def evaluate(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        numbers = np.sin(observations.astype(np.float64) @ weights)
        return (spread * numbers[:, 1:]).astype(np.float32), numbers[:, 0].astype(np.float32)

    return evaluate


def positions(game: str, n: int, last_ply: int, seed: int = 1) -> GameBatch:
    """Random positions of plies 0 to `last_ply`, none of them over or solvable."""
    batch = GameBatch(n, seed, game=game)
    for ply in range(last_ply):
        going = (np.arange(n) % (last_ply + 1) > ply) & ~batch.is_terminal
        batch.step(np.where(going, batch.opponent_actions("random", seed), -1))
    return batch.take(np.flatnonzero(~batch.is_terminal & ~batch.is_solvable))


# ---------------------------------------------------------------------- sequential halving


@pytest.mark.parametrize("max_considered", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("simulations", [1, 6, 16, 50])
def test_root_visits_are_those_of_halving(max_considered: int, simulations: int) -> None:
    for game in ("beasty_bar", "connect_four"):
        batch = positions(game, 60, 9)
        found = search(
            batch,
            random_numbers(game, 3, 1.0),
            simulations,
            gumbel_scale=1.0,
            max_considered=max_considered,
            **GUMBEL,
        )
        for row, legal in zip(found.visit_counts, batch.legal_mask(), strict=True):
            visits = [0] * min(int(legal.sum()), max_considered)
            for wanted in considered_visits(len(visits), simulations):
                visits[visits.index(wanted)] += 1
            assert sorted(row[row > 0], reverse=True) == sorted(filter(None, visits), reverse=True)
            assert not row[~legal].any()


# ---------------------------------------------------------------------- the policy target


@pytest.mark.parametrize("simulations", [1, 2, 8, 40])
@pytest.mark.parametrize("root_selection", ["puct", "gumbel"])
def test_the_target_is_a_policy_over_legal_actions(simulations: int, root_selection: str) -> None:
    for game in ("beasty_bar", "connect_four"):
        batch = positions(game, 80, 12)
        options = GUMBEL | {"root_selection": root_selection, "gumbel_scale": 1.0}
        found = search(batch, random_numbers(game, 4, 3.0), simulations, seed=2, **options)
        legal = batch.legal_mask()
        assert np.abs(found.policy.sum(axis=1) - 1).max() < 1e-5
        assert (found.policy[~legal] == 0).all()
        assert (found.policy[legal] > 0).all(), "unvisited actions keep a share"
        assert (found.visit_counts[np.arange(len(batch)), found.actions] > 0).all()


def one_ply(batch: GameBatch, evaluate: Evaluate) -> np.ndarray:
    """Each action's true Q where the game is cut off after it: the network's value there, or the game's outcome."""
    q = np.full((len(batch), batch.num_actions), np.nan)
    for row in range(len(batch)):
        state = batch.state(row)
        for action in state.legal_actions():
            after = state.step(action)
            if after.is_terminal:
                q[row, action.id] = {state.to_move: 1.0, None: 0.0}.get(after.winner(), -1.0)
            else:
                _, values = evaluate(after.observe()[None], np.ones((1, batch.num_actions), bool))
                q[row, action.id] = -float(values[0])
    return q


def prior_of(batch: GameBatch, evaluate: Evaluate) -> np.ndarray:
    legal = batch.legal_mask()
    logits, _ = evaluate(batch.observe(), legal)
    weights = np.where(legal, np.exp(logits.astype(np.float64)), 0)
    prior: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return prior


@pytest.mark.parametrize(("c_visit", "c_scale"), [(50.0, 0.1), (50.0, 1.0), (1.0, 0.3)])
def test_completed_q_is_a_policy_improvement(c_visit: float, c_scale: float) -> None:
    """Danihelka et al. (2022), section 4: the policy's expected Q is the prior's or more, and here exactly known: each
    action is visited once, and connect four hides nothing."""
    evaluate = random_numbers("connect_four", 5, 3.0)
    batch = positions("connect_four", 400, 12)
    batch = batch.take(np.flatnonzero(batch.legal_mask().sum(axis=1) == 7))
    q, prior = one_ply(batch, evaluate), prior_of(batch, evaluate)
    found = search(batch, evaluate, 7, seed=3, **(GUMBEL | {"c_visit": c_visit, "c_scale": c_scale}))
    assert len(batch) > 200 and (found.visit_counts[batch.legal_mask()] == 1).all()
    gain = (found.policy * q).sum(axis=1) - (prior * q).sum(axis=1)
    assert (gain > -1e-5).all()
    assert gain.mean() > 0.05
    # the policy by its definition, Q of 0 to 1
    target = prior * np.exp((c_visit + 1) * c_scale * (q + 1) / 2)
    target /= target.sum(axis=1, keepdims=True)
    assert np.abs(found.policy - target).max() < 1e-4
    assert (found.actions == target.argmax(axis=1)).all(), "without noise the best action of that policy"


@pytest.mark.parametrize("simulations", [1, 2, 4])
def test_with_unvisited_actions_it_improves_on_average(simulations: int) -> None:
    evaluate = random_numbers("connect_four", 6, 2.0)
    batch = positions("connect_four", 600, 12)
    q, prior = np.nan_to_num(one_ply(batch, evaluate)), prior_of(batch, evaluate)
    # the value of the root is the prior's true one, as the proof asks for
    exact = dict(zip(map(bytes, batch.observe()), (prior * q).sum(axis=1), strict=True))

    def known(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        logits, values = evaluate(observations, legal_mask)
        found = [exact.get(bytes(row), value) for row, value in zip(observations, values, strict=True)]
        return logits, np.array(found, dtype=np.float32)

    found = search(batch, known, simulations, max_considered=simulations, gumbel_scale=1.0, seed=3, **GUMBEL)
    gain = ((found.policy - prior) * q).sum(axis=1)
    assert gain.mean() > 5 * gain.std() / math.sqrt(len(gain))


# ---------------------------------------------------------------------- the action settled on


def is_quiet(state: State) -> bool:
    after = [state.step(action) for action in state.legal_actions()]
    return not any(
        child.is_terminal or any(child.step(reply).is_terminal for reply in child.legal_actions()) for child in after
    )


@pytest.mark.parametrize("gumbel_scale", [0.0, 0.5])
def test_an_action_that_is_far_better_is_found(gumbel_scale: float) -> None:
    """Fails if eight simulations of seven actions, with priors that say nothing, do not find the winning one."""
    batch = positions("connect_four", 600, 12)
    _, first = np.unique(batch.observe(), axis=0, return_index=True)
    batch = batch.take(first[batch.ply[first] >= 6])
    rng = random.Random(8)
    # in reach of the search no game ends
    states = [state for row in range(len(batch)) if is_quiet(state := batch.state(row))]
    batch = GameBatch.from_states(states)
    assert len(batch) > 100
    planted = [rng.choice(state.legal_actions()) for state in states]
    value_of = {
        bytes(state.step(action).observe()): np.float32(-0.95 if action == best else 0.95)
        for state, best in zip(states, planted, strict=True)
        for action in state.legal_actions()
    }
    logits_of = random_numbers("connect_four", 9, 1.0)

    def evaluate(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        # the other player loses behind the planted action and wins behind the others; all else is even
        values = np.array([value_of.get(bytes(row), 0.0) for row in observations], dtype=np.float32)
        return logits_of(observations, legal_mask)[0], values

    found = search(batch, evaluate, 8, seed=1, gumbel_scale=gumbel_scale, **(GUMBEL | {"c_scale": 0.3}))
    right = found.actions == np.array([action.id for action in planted])
    assert right.mean() > 0.95
    chosen = found.policy[np.arange(len(batch)), [action.id for action in planted]]
    assert np.median(chosen) > 0.9


@pytest.mark.parametrize("simulations", [1, 4, 16])
@pytest.mark.parametrize("game", ["beasty_bar", "connect_four"])
def test_without_values_actions_are_drawn_by_the_prior(game: str, simulations: int) -> None:
    """Fails if the highest of log prior + noise, which halving keeps, is no sample of the prior."""
    n = 4000
    state = State.initial(4, game=game)
    batch = GameBatch.from_states([state] * n)
    noise = random_numbers(game, 10, 1.2)

    def evaluate(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        return noise(observations, legal_mask)[0], np.zeros(len(observations), np.float32)

    found = search(batch, evaluate, simulations, seed=6, gumbel_scale=1.0, **GUMBEL)
    prior = prior_of(batch.take([0]), evaluate)[0]
    counts = np.bincount(found.actions, minlength=len(prior))
    legal = prior > 0
    assert not counts[~legal].any() and legal.sum() >= 4
    chi_squared = ((counts[legal] - n * prior[legal]) ** 2 / (n * prior[legal])).sum()
    freedom = legal.sum() - 1
    assert chi_squared < freedom + 5 * math.sqrt(2 * freedom)
    # the target is the prior itself, noise or not
    assert np.abs(found.policy - prior).max() < 1e-4
    assert len(np.unique(search(batch, evaluate, simulations, seed=6, **GUMBEL).actions)) == 1, "no noise, one action"


@pytest.mark.parametrize("scale", [0.25, 4.0])
def test_noise_of_another_scale_is_another_temperature(scale: float) -> None:
    """Fails if noise of another scale does not sample the prior to the power 1 / scale."""
    n = 4000
    batch = GameBatch(n, game="connect_four")
    noise = random_numbers("connect_four", 10, 1.2)
    found = search(
        batch, lambda o, m: (noise(o, m)[0], np.zeros(len(o), np.float32)), 1, seed=6, gumbel_scale=scale, **GUMBEL
    )
    expected = prior_of(batch.take([0]), noise)[0] ** (1 / scale)
    expected *= n / expected.sum()
    counts = np.bincount(found.actions, minlength=7)
    large = expected > 5
    chi_squared = ((counts - expected) ** 2 / expected)[large].sum()
    assert chi_squared < large.sum() - 1 + 5 * math.sqrt(2 * large.sum())
