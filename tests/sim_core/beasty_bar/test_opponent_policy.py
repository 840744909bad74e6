"""How likely the built-in opponents' actions are: against what they play, and against the reference's scores."""

from __future__ import annotations

import math
import random
from functools import cache

import numpy as np
import pytest
from reference import opponents as reference_opponents
from reference import rules as reference

from sim_core import ACTIONS, OPPONENTS, GameBatch, State, get_game

GAME = get_game("beasty_bar")
DRAWS = 2_000


@cache
def sample_positions() -> tuple[reference.Position, ...]:
    """About 250 positions from all plies of random games."""
    rng = random.Random(3)
    positions = []
    for game in range(11):
        position = reference.random_deal(rng, first_player=game % 2)
        while not reference.is_terminal(position):
            positions.append(position)
            position = reference.step(position, rng.choice(reference.legal_actions(position)))
    return tuple(positions)


def packed(position: reference.Position) -> bytes:
    return GAME.parse(reference.format(position))


def gaussian_below(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def fine_integral(scores: dict[str, float], action: str) -> float:
    """The same integral by Simpson's rule with 4,000 steps, in the units of the scores."""
    sigma, steps = reference_opponents.NOISE_SIGMA, 4_000
    total = 0.0
    for k in range(steps + 1):
        draw = sigma * (20 * k / steps - 10)
        value = math.exp(-0.5 * (draw / sigma) ** 2) / math.sqrt(2 * math.pi)
        for other, score in scores.items():
            if other != action:
                value *= gaussian_below((scores[action] + draw - score) / sigma)
        total += value * (1 if k in (0, steps) else 4 if k % 2 else 2)
    return total * 20 / steps / 3


@pytest.mark.parametrize("name", OPPONENTS)
def test_the_policy_is_how_often_each_action_is_played(name: str) -> None:
    """Fails if ties, noise or legal actions are counted otherwise than they are played: chi-squared over all plies."""
    positions = [position for position in sample_positions() if len(reference.legal_actions(position)) > 1][::3]
    batch = GameBatch.from_states([State.parse(reference.format(position)) for position in positions])
    drawn = np.stack([batch.opponent_actions(name, seed=seed) for seed in range(DRAWS)])
    statistic = freedom = 0.0
    for row, position in enumerate(positions):
        expected = DRAWS * GAME.opponent_policy(name, packed(position)).astype(float)
        found = np.bincount(drawn[:, row], minlength=len(ACTIONS))
        assert not found[expected == 0].any(), reference.format(position)
        rare = expected < 5  # too few for chi-squared, so they count as one
        cells = np.append(expected[~rare], expected[rare].sum())
        counts = np.append(found[~rare], found[rare].sum())
        if cells[-1] < 5:
            assert counts[-1] < 30, reference.format(position)
            cells, counts = cells[:-1], counts[:-1]
        statistic += float(((counts - cells) ** 2 / cells).sum()) if len(cells) > 1 else 0.0
        freedom += len(cells) - 1
    assert statistic < freedom + 5 * math.sqrt(2 * freedom) + 1e-9, (statistic, freedom)


@pytest.mark.parametrize("name", [name for name in OPPONENTS if name != "noisy"])
def test_the_policy_is_uniform_over_the_best(name: str) -> None:
    for position in sample_positions():
        best = reference_opponents.best_actions(name, position)
        policy = GAME.opponent_policy(name, packed(position))
        assert policy.dtype == np.float32
        expected = [np.float32(1 / len(best)) if action in best else 0.0 for action in ACTIONS]
        np.testing.assert_array_equal(policy, expected, err_msg=reference.format(position))


def test_noisys_policy_is_the_integral() -> None:
    """Fails if the quadrature is off by more than 1e-6, in positions with the most actions and with close scores."""
    positions = sorted(sample_positions(), key=lambda position: -len(reference.legal_actions(position)))[:12]
    for position in (*positions, *sample_positions()[::40]):
        scores = reference_opponents.action_scores("noisy", position)
        policy = GAME.opponent_policy("noisy", packed(position))
        assert policy.sum() == pytest.approx(1, abs=1e-6)
        for action in scores:
            assert policy[ACTIONS.index(action)] == pytest.approx(fine_integral(scores, action), abs=1e-7)


@pytest.mark.parametrize("name", OPPONENTS)
def test_a_single_legal_action_is_certain_and_a_finished_game_has_none(name: str) -> None:
    assert GAME.opponent_policy(name, GAME.parse("ksmp - - G/- -/- 0 3"))[ACTIONS.index("G")] == pytest.approx(1)
    assert not GAME.opponent_policy(name, GAME.parse("- - - -/- -/- 0 24")).any()


@pytest.mark.parametrize("name", OPPONENTS)
def test_hidden_cards_change_nothing(name: str) -> None:
    """Fails if an opponent's policy depends on a card that it cannot see."""
    for k, position in enumerate(sample_positions()[::5]):
        state = packed(position)
        policy = GAME.opponent_policy(name, state)
        np.testing.assert_array_equal(policy, GAME.opponent_policy(name, GAME.determinize(state, k)))


def test_wrong_input_is_refused() -> None:
    state = GAME.initial(1)
    with pytest.raises(
        ValueError, match=r"^name: 'nobody' given, beasty_bar has no such opponent; expected one of ran"
    ):
        GAME.opponent_policy("nobody", state)
    with pytest.raises(ValueError, match=r"^state: 3 bytes given"):
        GAME.opponent_policy("random", b"abc")
