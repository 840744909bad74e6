"""Compares predicted values with the outcomes that followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def calibration(
    predicted: NDArray[np.float32], outcomes: NDArray[np.int8], bins: int = 10
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Predicted values against what came of them, in bins of equal width from -1 to 1.

    Returns:
        mean prediction, mean outcome, number of positions of each bin [bins]; NaN where a bin is empty.

    >>> calibration(np.float32([-0.9, 0.8, 1.0]), np.int8([-1, 1, 0]), bins=2)
    (array([-0.89999998,  0.90000001]), array([-1. ,  0.5]), array([1, 2]))
    """
    at = np.clip(((predicted + 1.0) * bins / 2.0).astype(np.int64), 0, bins - 1)
    counts = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(at, weights=array, minlength=bins) / counts for array in (predicted, outcomes)]
    return means[0], means[1], counts


def calibration_gap(predicted: NDArray[np.float64], came: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """Expected calibration error (Naeini et al. 2015) of what `calibration` returns: the mean absolute gap of
    prediction and outcome, over all positions.

    >>> round(calibration_gap(*calibration(np.float32([-0.9, 0.8, 1.0]), np.int8([-1, 1, 0]), bins=2)), 6)
    0.3
    """
    some = counts > 0
    return float((np.abs(predicted[some] - came[some]) * counts[some]).sum() / counts.sum())
