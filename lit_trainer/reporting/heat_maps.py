"""Draws all heat maps, by one function that writes each number into its cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_trainer.measuring.matches import Tested, by_simulations, player_name

SCORE = "score in % (wins and half the draws)"
"""Label of all scores."""

MOST_TICKS = 12
"""Most columns that are named one by one, and that have numbers in their cells."""

_DARK = 1.3  # sum of red, green and blue, each 0 to 1, below which black text is hard to read


def draw_heat_map(
    axes: Axes,
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    text: Callable[[int, int], str] | None,
    *,
    colours: str = "RdYlGn",
    limits: tuple[float, float] = (0, 100),
    font_size: float = 8,
    label: str = SCORE,
) -> None:
    """Draws values as colours, with a text in each cell.

    Args:
        axes: Where to draw.
        values: Values [rows, columns]. A cell that is NaN stays empty.
        rows: Names of the rows.
        columns: Names of the columns. Of more than `MOST_TICKS` some are named.
        text: Returns the text of a cell by its row and column. None: cells have no text.
        colours: Name of matplotlib's colour map.
        limits: Values at the two ends of the colour map.
        font_size: Size of the text, in points.
        label: Label of the colour bar. Empty: the bar has none.
    """
    low, high = limits
    image = axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    ticks = range(0, len(columns), -(-len(columns) // MOST_TICKS) or 1)
    axes.set_xticks(list(ticks), [columns[k] for k in ticks])
    axes.set_yticks(range(len(rows)), rows)
    for row, column in np.argwhere(~np.isnan(values)):
        if text is None:
            break
        dark = sum(image.cmap(image.norm(values[row, column]))[:3]) < _DARK
        colour = "white" if dark else "black"
        axes.text(column, row, text(row, column), ha="center", va="center", fontsize=font_size, color=colour)
    bar = axes.get_figure().colorbar(image, ax=axes)  # type: ignore[union-attr]
    if label:
        bar.set_label(label)


def iterations_of(history: Mapping[str, Mapping[int, float]]) -> list[int]:
    """Returns all iterations of a history, in order."""
    return sorted({iteration for values in history.values() for iteration in values})


def as_table(history: Mapping[str, Mapping[int, float]], missing: float) -> NDArray[np.float64]:
    """Returns a history's values [names, iterations], with a value for those that are missing."""
    iterations = iterations_of(history)
    return np.array([[values.get(k, missing) for k in iterations] for values in history.values()])


def win_rate_map(history: Mapping[str, Mapping[int, float]]) -> Figure:
    """Returns a map of each opponent's score in percent (rows) at each evaluation (columns), grey where it has none."""
    iterations, scores = iterations_of(history), 100 * as_table(history, np.nan)
    figure = Figure(figsize=(9, 1.5 + 0.35 * len(history)), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("lightgrey")
    few = len(iterations) <= MOST_TICKS  # the numbers of more would not fit
    text = (lambda row, column: f"{scores[row, column]:.0f}") if few else None
    draw_heat_map(axes, scores, list(history), [str(k) for k in iterations], text, colours="RdBu", label="")
    axes.set(xlabel="iteration", title="Score against each opponent, in % (wins and half the draws)")
    return figure


def measurement_map(tested: Tested, title: str) -> Figure:
    """Returns a map of a test's scores with their 95 % intervals: opponents (rows) by numbers of simulations.

    Columns of one number of simulations, which differ in what the player knew of its opponents, stand side by side.
    """
    players = {
        player_name(number, model).replace(", ", ",\n"): results
        for number, models in by_simulations(tested).items()
        for model, results in models.items()
    }
    opponents = list(dict.fromkeys(match.opponent for match in tested))
    scores = np.array(
        [[100 * found[name].score if name in found else np.nan for found in players.values()] for name in opponents]
    )
    figure = Figure(figsize=(3.2 + 1.3 * len(players), 1.6 + 0.42 * len(opponents)), layout="constrained")
    axes = figure.subplots()

    def text(row: int, column: int) -> str:
        result = list(players.values())[column][opponents[row]]
        return f"{100 * result.score:.1f} ± {50 * (result.high - result.low):.1f}"

    draw_heat_map(axes, scores, opponents, list(players), text)
    axes.set_title(title, fontsize=10)
    return figure


def draw_cross_map(axes: Axes, scores: NDArray[np.float64], halves: NDArray[np.float64], games: int) -> None:
    """Draws who scored what against which player, the best on top.

    Args:
        axes: Where to draw.
        scores: Scores of the row against the column in percent [n, n]. NaN: the two have not played.
        halves: Half the width of each score's 95 % interval, in percent [n, n].
        games: Games of each pairing, for the title.
    """
    places = [str(place) for place in range(1, len(scores) + 1)]

    def text(row: int, column: int) -> str:
        return f"{scores[row, column]:.1f}\n±{halves[row, column]:.1f}"

    draw_heat_map(axes, scores, places, places, text, font_size=7)
    axes.set_xticks(range(len(places)), places)  # a place has one or two digits, so all fit
    axes.set_title(f"Row against column, {games} games each")


def animal_maps(animals: Sequence[str], shares: NDArray[np.float64], worth: NDArray[np.float64]) -> Figure:
    """Returns two maps by animal (rows) and own turn (columns).

    Args:
        animals: Names of the animals.
        shares: How often each is played when it is in hand, in percent [animals, turns]. NaN: it never is.
        worth: What holding it is worth, in points of win chance [animals, turns].
    """
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    most = float(np.abs(worth).max())
    maps = (
        (left, shares, "Played when in hand, % of the turns", "viridis", (0.0, 100.0)),
        (right, worth, "Worth of holding it, points of win chance", "RdBu", (-most, most)),
    )
    for axes, values, title, colours, limits in maps:
        turns = [str(turn + 1) for turn in range(values.shape[1])]

        def text(row: int, column: int, values: NDArray[np.float64] = values) -> str:
            return f"{values[row, column]:.0f}"

        options = {"colours": colours, "limits": limits, "font_size": 7, "label": ""}
        draw_heat_map(axes, values, animals, turns, text, **options)  # type: ignore[arg-type]
        axes.set(xlabel="own turn", title=title)
    return figure
