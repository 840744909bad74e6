"""Draws all plots of lines, points and areas. Heat maps are in `heat_maps`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_trainer.measuring.calibration import Calibration
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.heat_maps import SCORE, as_table, iterations_of


def learning_curve(history: Mapping[str, Mapping[int, float]]) -> Figure:
    """Returns a plot of each opponent's score in percent over the iterations.

    Args:
        history: Opponent to iteration to score, 0 to 1.
    """
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for name, scores in history.items():
        axes.plot(list(scores), [100 * score for score in scores.values()], marker="o", markersize=3, label=name)
    axes.axhline(50, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="iteration", ylabel=SCORE, ylim=(0, 100), title="Learning curve")
    axes.grid(alpha=0.25)
    _legend_beside(axes)
    return figure


def _legend_beside(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def draw_intervals(
    axes: Axes, names: Sequence[str], values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> None:
    """Draws values with their intervals, a line for each name, the first on top."""
    rows = np.arange(len(names))
    # rounding may put a bound a little inside
    widths = np.clip([values - low, high - values], 0, None)
    axes.errorbar(values, rows, xerr=widths, fmt="o", markersize=4, capsize=3, clip_on=False)
    axes.set_yticks(rows, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.25)


def score_intervals(results: Mapping[str, MatchResult], iteration: int) -> Figure:
    """Returns a plot of each opponent's score with its 95 % interval at one evaluation, in percent."""
    figure = Figure(figsize=(9, 1.5 + 0.35 * len(results)), layout="constrained")
    axes = figure.subplots()
    ends = ((result.score, result.low, result.high) for result in results.values())
    scores, low, high = (100 * np.array(column) for column in zip(*ends, strict=True))
    axes.axvline(50, color="grey", linewidth=0.8, linestyle=":")
    draw_intervals(axes, list(results), scores, low, high)
    axes.set(xlim=(0, 100), xlabel=SCORE, title=f"Scores with 95 % intervals at iteration {iteration}")
    return figure


def weights_over_iterations(history: Mapping[str, Mapping[int, float]]) -> Figure:
    """Returns a plot of the opponents' weights over the iterations, stacked."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    colours = [colormaps["tab20"](k % 20) for k in range(len(history))]
    axes.stackplot(iterations_of(history), as_table(history, 0.0), labels=list(history), colors=colours, alpha=0.8)
    axes.set(xlabel="iteration", ylabel="weight", ylim=(0, 1), title="Opponents' weights")
    axes.margins(x=0)
    _legend_beside(axes)
    return figure


def draw_calibration(axes: Axes, found: Mapping[str, Calibration], fewest: int = 1) -> None:
    """Draws mean outcomes against predicted values, a line for each name, beside the diagonal of a perfect prediction.

    Args:
        axes: Where to draw.
        found: Name to its bins.
        fewest: Positions that a bin needs to be drawn.
    """
    axes.plot((-1, 1), (-1, 1), color="grey", linewidth=0.8, linestyle=":")
    for name, bins in found.items():
        enough = bins.counts >= fewest
        # points at the edge are drawn whole; a line without points would have no extent for the layout
        clipped = not enough.any()
        axes.plot(bins.predicted[enough], bins.came[enough], marker="o", markersize=4, clip_on=clipped, label=name)
    axes.set(xlim=(-1, 1), ylim=(-1, 1), ylabel="mean outcome")
    axes.grid(alpha=0.25)


def calibration_plot(bins: Calibration, iteration: int) -> Figure:
    """Returns a plot of mean outcomes against predicted values, and below it how many positions each bin holds."""
    figure = Figure(figsize=(5.5, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    draw_calibration(above, {"value head": bins})
    above.set_title(f"Value head at iteration {iteration}: calibration error {bins.error:.3f}")
    some = bins.counts > 0
    below.bar(bins.predicted[some], bins.counts[some], width=0.04)
    below.set(xlabel="predicted value", ylabel="positions")
    return figure


def calibration_comparison(found: Mapping[str, Mapping[str, Calibration]], fewest: int) -> Figure:
    """Returns plots side by side of mean outcomes against predicted values, a line for each stage of the game.

    Args:
        found: What predicts, then stage, to its bins.
        fewest: Positions that a bin needs to be drawn.
    """
    figure = Figure(figsize=(5.5 * len(found), 5), layout="constrained")
    for axes, (name, stages) in zip(figure.subplots(1, len(found), sharey=True), found.items(), strict=True):
        draw_calibration(axes, stages, fewest)
        axes.set(xlabel="predicted value", title=f"Value of the {name}", aspect="equal")
        axes.legend(frameon=False)
    return figure
