"""Players: how actions are sampled, what a network's player chooses, and the path to agents written in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lit_trainer.players.network_player import NetworkPlayer, sample_rows, sharpen
from sim_core import ACTIONS, GameBatch, search

A = len(ACTIONS)
# a row of weights with many zeros, at least one above
WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(2**-20, 1.0, width=32)), min_size=1, max_size=12).filter(any)


def rows(weights: list[float]) -> np.ndarray:
    policy = np.array([weights], dtype=np.float32)
    normal: np.ndarray = policy / policy.sum()
    return normal


def played(n: int, seed: int, plies: int | np.ndarray) -> GameBatch:
    batch = GameBatch(n, seed)
    while (going := batch.ply < plies).any():
        batch.step(np.where(going, batch.opponent_actions("random", seed), -1))
    return batch


# ---------------------------------------------------------------------- sampling


@given(WEIGHTS)
@settings(max_examples=60, deadline=None)
def test_sampling_follows_the_policy(weights: list[float]) -> None:
    """Fails if actions are not drawn in proportion to the policy: an even grid of numbers shows each share exactly."""
    policy, grid = rows(weights), 5000
    drawn = sample_rows(np.repeat(policy, grid, axis=0), (np.arange(grid) + 0.5) / grid)
    counts = np.bincount(drawn, minlength=len(weights))
    assert np.abs(counts - grid * policy[0]).max() <= 1 + grid * 1e-6
    assert not counts[policy[0] == 0].any()


@given(WEIGHTS, st.floats(0, 1))
@settings(max_examples=200, deadline=None)
@example([0.0, 1.0], 0.0)
@example([0.0, 0.0, 0.5, 0.0, 0.5, 0.0], 0.0)
@example([0.0, 0.0, 0.5, 0.0, 0.5, 0.0], 0.5)
@example([1.0, 0.0, 0.0], 1.0)
@example([0.1] * 10 + [0.0], float(np.nextafter(1, 0)))
def test_nothing_of_probability_zero_is_ever_sampled(weights: list[float], uniform: float) -> None:
    """Fails if an action of probability zero, which may be illegal, is drawn by a number at an edge."""
    for number in (uniform, 0.0, 5e-324, float(np.nextafter(1, 0)), 1.0):
        chosen = int(sample_rows(rows(weights), np.array([number]))[0])
        assert weights[chosen] > 0, number
    steps = np.cumsum(rows(weights)[0], dtype=np.float64)
    for number in steps / steps[-1]:
        assert weights[int(sample_rows(rows(weights), np.array([number]))[0])] > 0


def test_rows_are_sampled_each_by_its_own_number() -> None:
    policy = np.array([[0.25, 0.75], [0.75, 0.25], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    assert sample_rows(policy, np.array([0.5, 0.5, 0.9, 0.1])).tolist() == [1, 0, 0, 1]
    assert sample_rows(policy, np.array([0.1, 0.9, 0.1, 0.9])).tolist() == [0, 1, 0, 1]
    assert sample_rows(policy, np.zeros(4)).dtype == np.int64
    assert sample_rows(policy[:0], np.zeros(0)).shape == (0,)


@given(hnp.arrays(np.float32, (3, 5), elements=st.floats(0, 1, width=32)), st.floats(0.05, 20))
@settings(max_examples=100, deadline=None)
def test_sharpening_is_a_power(weights: np.ndarray, temperature: float) -> None:
    weights[:, 2] += np.float32(0.25)
    policy = weights / weights.sum(axis=1, keepdims=True)
    found = sharpen(policy, temperature)
    exact = policy.astype(np.float64) ** (1 / temperature)
    exact /= exact.sum(axis=1, keepdims=True)
    assert found.dtype == np.float32
    assert np.abs(found - exact).max() < 1e-4
    assert (found[policy == 0] == 0).all()
    assert (sharpen(policy, 1.0) == policy).all()


@pytest.mark.parametrize("temperature", [1e-30, 1e-3, 0.0])
def test_a_cold_policy_is_the_best_action(temperature: float) -> None:
    policy = np.array([[0.2, 0.5, 0.3, 0.0], [0.0, 0.0, 1.0, 0.0], [0.7, 0.1, 0.1, 0.1]], dtype=np.float32)
    expected = np.eye(4, dtype=np.float32)[[1, 2, 0]]
    assert np.abs(sharpen(policy, temperature) - expected).max() < 1e-6


def test_extreme_temperatures() -> None:
    policy = np.array([[0.25, 0.5, 0.25, 0.0], [0.0, 0.4, 0.2, 0.4]], dtype=np.float32)
    hot = sharpen(policy, 1e9)
    assert np.abs(hot - np.array([[1, 1, 1, 0], [0, 1, 1, 1]]) / 3).max() < 1e-6
    assert sharpen(policy, 0.0).argmax(axis=1).tolist() == [1, 1], "the first of equals"
    assert sharpen(policy, 0.0).sum(axis=1).tolist() == [1.0, 1.0]


# ---------------------------------------------------------------------- networks


def test_a_network_without_search_plays_its_policy(scrambled: Any) -> None:
    batch = played(60, 5, np.arange(60) % 23)
    logits, _ = scrambled(batch.observe(), batch.legal_mask())
    moves = NetworkPlayer(scrambled, simulations=0, temperature=0.0, seed=1).act(batch)
    for row, legal in enumerate(batch.legal_mask()):
        actions = np.flatnonzero(legal)
        assert moves.actions[row] == actions[logits[row, actions].argmax()]
    assert moves.policy is not None
    assert moves.policy.shape == (60, A)
    assert not moves.policy.any(), "a policy that was not searched is no target"


@pytest.mark.parametrize(("temperature", "power"), [(1.0, 1.0), (0.5, 2.0), (2.0, 0.5)])
def test_a_network_samples_at_its_temperature(scrambled: Any, temperature: float, power: float) -> None:
    n = 8000
    state = played(1, 8, 7).state(0)
    copies = GameBatch.from_states([state] * n)
    logits, _ = scrambled(state.observe()[None], np.ones((1, A), bool))
    actions = [action.id for action in state.legal_actions()]
    expected = np.exp(logits[0, actions].astype(float) * power)
    expected *= n / expected.sum()
    drawn = NetworkPlayer(scrambled, simulations=0, temperature=temperature, seed=3).act(copies).actions
    counts = np.bincount(drawn, minlength=A)
    assert counts[actions].sum() == n
    chi_squared = ((counts[actions] - expected) ** 2 / expected).sum()
    assert len(actions) >= 4
    assert chi_squared < len(actions) - 1 + 5 * np.sqrt(2 * (len(actions) - 1))


def test_a_searching_network_plays_and_keeps_what_search_found(scrambled: Any) -> None:
    batch = played(40, 5, np.arange(40) % 20)
    options = {"c_puct": 0.7, "dirichlet_fraction": 0.3, "dirichlet_alpha": 0.4}
    player = NetworkPlayer(scrambled, simulations=12, temperature=0.0, seed=9, threads=2, **options)
    moves = player.act(batch)
    found = search(batch, scrambled, 12, seed=9, **options)
    assert moves.policy is not None
    assert (moves.policy == found.policy).all()
    assert (moves.actions == found.policy.argmax(axis=1)).all()
    sampled = NetworkPlayer(scrambled, simulations=12, temperature=1.0, seed=9, **options).act(batch)
    assert (sampled.policy == found.policy).all()
    assert (found.policy[np.arange(40), sampled.actions] > 0).all()
    assert (sampled.actions != moves.actions).any()


def test_moves_do_not_depend_on_the_batch(scrambled: Any) -> None:
    batch = played(30, 5, np.arange(30) % 20)
    for simulations in (0, 6):
        player = NetworkPlayer(scrambled, simulations=simulations, temperature=1.0, seed=9)
        whole = player.act(batch).actions
        alone = [int(player.act(batch.take([row])).actions[0]) for row in range(30)]
        assert whole.tolist() == alone


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("simulations", -1), ("temperature", -0.1), ("temperature", float("nan")), ("temperature", float("inf"))],
        *[("c_puct", -1.0), ("dirichlet_fraction", 2), ("root_selection", "ucb"), ("max_considered", 17)],
    ],
)
def test_wrong_arguments_are_refused_by_name(scrambled: Any, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: "):
        NetworkPlayer(scrambled, **({"simulations": 0, "temperature": 1.0, "seed": 1} | {name: value}))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_diverged_network_is_named(temperature: float) -> None:
    def diverged(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        return np.full(legal_mask.shape, np.nan, np.float32), np.full(len(observations), np.nan, np.float32)

    with pytest.raises(ValueError, match="NaN"):
        NetworkPlayer(diverged, simulations=0, temperature=temperature, seed=1).act(GameBatch(4))
