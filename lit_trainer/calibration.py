"""Whether the value head means what it says: predicted values against mean outcomes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Calibration(NamedTuple):
    """Positions in bins of their predicted value; bins without any are left out. All arrays are [bins]."""

    predicted: NDArray[np.float64]
    """Mean predicted value."""
    outcome: NDArray[np.float64]
    """Mean outcome."""
    counts: NDArray[np.int64]
    """Positions."""

    @property
    def error(self) -> float:
        """Expected calibration error (Naeini et al. 2015): the mean gap of the two over all positions."""
        gaps = np.abs(self.predicted - self.outcome)
        return float((gaps * self.counts).sum() / self.counts.sum())


def calibrate(values: ArrayLike, outcomes: ArrayLike, bins: int = 10) -> Calibration:
    """Sort positions into bins of equal width by predicted value, and compare with how they ended.

    Args:
        values: predicted values [n], from -1 to 1.
        outcomes: outcomes [n], -1, 0 or 1, for the same player as the values.
        bins: how many there are from -1 to 1; a value on a border belongs to the upper one, 1 to the last.

    Raises:
        ValueError: there is nothing to compare, a value is out of range, or `bins` is no positive whole number.

    >>> calibrate([-0.9, -0.7, 0.5, 1.0], [-1, 0, 1, 1], bins=2)
    Calibration(predicted=array([-0.8 ,  0.75]), outcome=array([-0.5,  1. ]), counts=array([2, 2]))
    """
    values, outcomes = np.asarray(values, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if values.ndim != 1 or values.shape != outcomes.shape or not len(values):
        raise ValueError(f"values, outcomes: shapes {values.shape} and {outcomes.shape} given, expected the same [n]")
    if not (np.abs(values) <= 1.0).all():
        raise ValueError("values: expected numbers from -1 to 1")
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ValueError(f"bins: {bins!r} given, expected a whole number of at least 1")
    at = np.minimum(((values + 1.0) / 2.0 * bins).astype(np.int64), bins - 1)
    counts = np.bincount(at, minlength=bins)
    held = counts > 0
    predicted, outcome = (np.bincount(at, weights=sums, minlength=bins)[held] for sums in (values, outcomes))
    return Calibration(predicted / counts[held], outcome / counts[held], counts[held])
