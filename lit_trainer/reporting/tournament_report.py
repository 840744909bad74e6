"""What a tournament shows: ratings and cross table in the terminal, and both as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from lit_trainer.measuring.statistics import Floats
from lit_trainer.utils.files import save_figure


def ranking(record: Mapping[str, Any]) -> list[int]:
    """The agents' numbers, the best first."""
    return sorted(range(len(record["agents"])), key=lambda k: -record["ratings"][k]["elo"])


def cross(record: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """Scores of row against column and half the widths of their intervals, in percent [n, n]; NaN where not played."""
    n = len(record["agents"])
    scores, halves = np.full((n, n), np.nan), np.full((n, n), np.nan)
    for pairing in record["pairings"]:
        a, b = pairing["a"], pairing["b"]
        scores[a, b], scores[b, a] = 100 * pairing["score"], 100 * (1 - pairing["score"])
        halves[a, b] = halves[b, a] = 50 * (pairing["high"] - pairing["low"])
    return scores, halves


def ratings_table(record: Mapping[str, Any]) -> Table:
    table = _table(f"Ratings of {record['game']} (0 is the mean of all; 95 % intervals)")
    for column in ("", "agent", "Elo", "95 %", "score %", "ms a move"):
        table.add_column(column, justify="left" if column == "agent" else "right", no_wrap=True)
    for place, k in enumerate(ranking(record), start=1):
        rating, time = record["ratings"][k], record["agents"][k]["ms_per_move"]
        table.add_row(
            str(place),
            rating["name"],
            f"{rating['elo']:+.0f}",
            f"{rating['low']:+.0f} to {rating['high']:+.0f}",
            f"{100 * rating['score']:.1f}",
            f"{time['batched']:.3g}" if time else "",
        )
    return table


def cross_table(record: Mapping[str, Any]) -> Table:
    table = _table(f"Scores of row against column in %, {record['games']} games each, wins and half the draws")
    order = ranking(record)
    scores, halves = cross(record)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("agent", no_wrap=True)
    for place in range(1, len(order) + 1):
        table.add_column(str(place), justify="right", no_wrap=True)
    for place, row in enumerate(order, start=1):
        cells = ["" if np.isnan(scores[row, k]) else f"{scores[row, k]:.1f}\n±{halves[row, k]:.1f}" for k in order]
        table.add_row(str(place), record["agents"][row]["name"], *cells)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def print_tables(record: Mapping[str, Any]) -> None:
    """Print both; wider than the terminal where they must be, rather than with figures left out."""
    console = Console(emoji=False, highlight=False)
    for table in (ratings_table(record), cross_table(record)):
        width = max(console.width, console.measure(table, options=console.options.update(max_width=10_000)).maximum)
        Console(emoji=False, highlight=False, width=width).print(table)


def draw(path: Path, record: Mapping[str, Any]) -> None:
    """Draw ratings with their intervals beside the cross table, the best on top, written whole or not at all."""
    order = ranking(record)
    n, names = len(order), [record["agents"][k]["name"] for k in order]
    figure = Figure(figsize=(7 + 0.75 * n, 2 + 0.4 * n), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[4, 1 + 0.75 * n])
    elo, low, high = (np.array([record["ratings"][k][field] for k in order]) for field in ("elo", "low", "high"))
    left.errorbar(elo, range(n), xerr=(elo - low, high - elo), fmt="o", markersize=4, capsize=3)
    left.set_yticks(range(n), names)
    left.set(ylim=(n - 0.5, -0.5), xlabel="Elo (0 is the mean of all)", title="Ratings, 95 % intervals")
    left.grid(alpha=0.25)
    scores, halves = (values[np.ix_(order, order)] for values in cross(record))
    image = right.imshow(scores, cmap="RdYlGn", vmin=0, vmax=100, aspect="auto")
    right.set_xticks(range(n), [str(place) for place in range(1, n + 1)])
    right.set_yticks(range(n), [str(place) for place in range(1, n + 1)])
    right.set_title(f"Row against column, {record['games']} games each")
    for row, column in np.argwhere(~np.isnan(scores)):
        score = scores[row, column]
        colour = "black" if 12 < score < 88 else "white"
        text = f"{score:.1f}\n±{halves[row, column]:.1f}"
        right.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(image, label="score in % (wins and half the draws)")
    save_figure(path, figure)
