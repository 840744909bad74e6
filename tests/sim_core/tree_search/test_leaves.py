"""The leaves of one network call: buffers, answers, and that none is forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from reference.search import Answer, scrambled
from support.runner_tools import (
    GUMBEL,
    NOISY,
    leaves_for,
    plan,
    runner_for,
)

from sim_core import SearchSettings


@pytest.mark.parametrize("search", [NOISY, GUMBEL], ids=["visits", "completed_q"])
def test_sums_that_overflow_are_named(search: SearchSettings) -> None:
    """Fails if finite answers whose sums overflow give targets or values of NaN."""
    wanted = plan("beasty_bar", 6, 8, search)
    leaves = leaves_for(wanted, 6)

    def large(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        logits, values = scrambled(observations, legal_mask)
        return logits, values * np.float32(3e38)

    runner = runner_for(wanted, leaves)
    with pytest.raises(ValueError, match=r"^evaluate: returned NaN .*too large to be added up"):
        for _ in range(40):
            leaves.evaluate(large, runner.advance(), 1)
    assert np.isfinite(runner.record.policies).all()


def test_leaves_must_be_answered_first() -> None:
    """Fails if leaves that were not answered can be used: old answers would be taken for new ones."""
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
