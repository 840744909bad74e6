"""Draws all plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_trainer.measuring.calibration import calibration_gap
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.utils.files import save_figure


def learning_curve(history: dict[str, dict[int, float]], path: Path) -> None:
    """Draw each opponent's score over the iterations into a PNG file, written whole or not at all."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for name, scores in history.items():
        axes.plot(list(scores), [100 * score for score in scores.values()], marker="o", markersize=3, label=name)
    axes.axhline(50, color="grey", linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="iteration",
        ylabel="score in % (wins and half the draws)",
        ylim=(0, 100),
        title="Learning curve",
    )
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    save_figure(path, figure)


_MOST_TICKS = 12


def _iterations(history: Mapping[str, Mapping[int, float]]) -> list[int]:
    return sorted({iteration for values in history.values() for iteration in values})


def _table(history: Mapping[str, Mapping[int, float]], missing: float) -> np.ndarray:
    """The values float64 [names, iterations]."""
    iterations = _iterations(history)
    return np.array([[values.get(k, missing) for k in iterations] for values in history.values()])


def win_rate_map(history: Mapping[str, Mapping[int, float]]) -> Figure:
    """Each opponent's score (rows) at each evaluation (columns), in per cent; grey where it was not played."""
    iterations, scores = _iterations(history), 100 * _table(history, np.nan)
    figure = Figure(figsize=(9, 1.5 + 0.35 * len(history)), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("lightgrey")
    image = axes.imshow(scores, cmap="RdBu", vmin=0, vmax=100, aspect="auto", interpolation="nearest")
    ticks = range(0, len(iterations), -(-len(iterations) // _MOST_TICKS))
    axes.set_xticks(list(ticks), [str(iterations[k]) for k in ticks])
    axes.set_yticks(range(len(history)), list(history))
    axes.set(xlabel="iteration", title="Score against each opponent, in % (wins and half the draws)")
    if len(iterations) <= _MOST_TICKS:
        for row, column in np.argwhere(~np.isnan(scores)):
            score = scores[row, column]
            colour = "black" if 25 < score < 75 else "white"
            axes.text(column, row, f"{score:.0f}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, ax=axes)
    return figure


def score_intervals(results: Mapping[str, MatchResult], iteration: int) -> Figure:
    """Each opponent's score at one evaluation with its 95 % interval, in per cent."""
    figure = Figure(figsize=(9, 1.5 + 0.35 * len(results)), layout="constrained")
    axes = figure.subplots()
    ends = ((result.score, result.low, result.high) for result in results.values())
    scores, low, high = (100 * np.array(column) for column in zip(*ends, strict=True))
    rows = np.arange(len(results))
    axes.errorbar(scores, rows, xerr=np.clip([scores - low, high - scores], 0, None), fmt="o", capsize=3, clip_on=False)
    axes.axvline(50, color="grey", linewidth=0.8, linestyle=":")
    axes.set_yticks(rows, list(results))
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="score in %", title=f"Scores with 95 % intervals at iteration {iteration}")
    axes.grid(axis="x", alpha=0.25)
    return figure


def weights_over_iterations(history: Mapping[str, Mapping[int, float]]) -> Figure:
    """The opponents' weights, one upon the other, over the iterations."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    colours = [colormaps["tab20"](k % 20) for k in range(len(history))]
    axes.stackplot(_iterations(history), _table(history, 0.0), labels=list(history), colors=colours, alpha=0.8)
    axes.set(xlabel="iteration", ylabel="weight", ylim=(0, 1), title="Opponents' weights")
    axes.margins(x=0)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def calibration_plot(
    predicted: NDArray[np.float64], came: NDArray[np.float64], counts: NDArray[np.int64], iteration: int
) -> Figure:
    """Mean outcome against predicted value, and below how many positions each bin holds: see `calibration`."""
    figure = Figure(figsize=(5.5, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    some = counts > 0
    above.plot((-1, 1), (-1, 1), color="grey", linewidth=0.8, linestyle=":")
    above.plot(predicted[some], came[some], marker="o", clip_on=False)
    gap = calibration_gap(predicted, came, counts)
    title = f"Value head at iteration {iteration}: calibration error {gap:.3f}"
    above.set(xlim=(-1, 1), ylim=(-1, 1), ylabel="mean outcome", title=title)
    above.grid(alpha=0.25)
    below.bar(predicted[some], counts[some], width=0.04)
    below.set(xlabel="predicted value", ylabel="positions")
    return figure
