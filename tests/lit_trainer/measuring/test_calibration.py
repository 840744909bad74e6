"""Predicted values against outcomes, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from lit_trainer.measuring.calibration import calibration


def test_the_calibration_error_weighs_bins_by_their_positions() -> None:
    """Fails if bins count equally: three right at 0.5 (gap 0) and one wrong at -0.5 (gap 1.5) would give 0.75."""
    values = np.float32([0.5, 0.5, 0.5, 0.5, -0.5])
    outcomes = np.int8([1, 1, 1, -1, 1])
    bins = calibration(values, outcomes, bins=4)
    assert bins.counts.tolist() == [0, 1, 0, 4]
    assert bins.error == pytest.approx((4 * 0.0 + 1 * 1.5) / 5)


def test_calibration_of_a_known_bias() -> None:
    generator = np.random.default_rng(0)
    truth = generator.uniform(-1, 1, 200_000)
    outcomes = np.where(generator.uniform(-1, 1, len(truth)) < truth, 1, -1).astype(np.int8)
    found = calibration((truth / 2).astype(np.float32), outcomes, bins=8)
    predicted, came, counts = found.predicted, found.came, found.counts
    assert counts.sum() == len(truth) and (counts[:2] == 0).all() and np.isnan(predicted[0])
    filled = counts > 0
    np.testing.assert_allclose(came[filled], 2 * predicted[filled], atol=0.03)


def test_the_ends_belong_to_the_outer_bins() -> None:
    """Fails if a value of exactly 1, or one that rounding has put beyond it, belongs to no bin."""
    found = calibration(np.float32([-1.0, 1.0, np.nextafter(np.float32(1), np.float32(2))]), np.int8([0, 0, 0]), bins=2)
    assert found.counts.tolist() == [1, 2]
