"""Compares predicted values with the outcomes that followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """Holds predicted values and what came of them, in bins of equal width from -1 to 1."""

    predicted: NDArray[np.float64]
    """Mean prediction of each bin [bins]. NaN: the bin is empty."""
    came: NDArray[np.float64]
    """Mean outcome of each bin [bins]. NaN: the bin is empty."""
    counts: NDArray[np.int64]
    """Positions in each bin [bins]."""

    @property
    def error(self) -> float:
        """Returns the expected calibration error (Naeini et al. 2015).

        It is the mean absolute gap between the predictions and the outcomes of a bin, over all positions.

        >>> round(calibration(np.float32([-0.9, 0.8, 1.0]), np.int8([-1, 1, 0]), bins=2).error, 6)
        0.3
        """
        some = self.counts > 0
        gaps = np.abs(self.predicted[some] - self.came[some])
        return float((gaps * self.counts[some]).sum() / self.counts.sum())


def calibration(
    predicted: NDArray[np.float32], outcomes: NDArray[np.float32] | NDArray[np.int8], bins: int = 10
) -> Calibration:
    """Returns predicted values against what came of them.

    Args:
        predicted: Predicted values [n], -1 to 1.
        outcomes: Outcomes [n], -1 to 1.
        bins: Number of bins.

    >>> found = calibration(np.float32([-0.9, 0.8, 1.0]), np.int8([-1, 1, 0]), bins=2)
    >>> found.predicted.round(6).tolist(), found.came.tolist(), found.counts.tolist()
    ([-0.9, 0.9], [-1.0, 0.5], [1, 2])
    """
    at = np.clip(((predicted + 1.0) * bins / 2.0).astype(np.int64), 0, bins - 1)
    counts = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(at, weights=array, minlength=bins) / counts for array in (predicted, outcomes)]
    return Calibration(means[0], means[1], counts)
