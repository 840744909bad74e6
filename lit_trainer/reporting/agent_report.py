"""Draws and writes the parts of a report on a trained agent (Beasty Bar)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_trainer.measuring.agent_analysis import Thoughts, calibration_by_stage, holding_worth, play_shares
from lit_trainer.reporting.heat_maps import animal_maps
from lit_trainer.reporting.plots import calibration_comparison
from lit_trainer.reporting.tables import Column, markdown_table
from sim_core.beasty_bar.rules import SPECIES

ANIMALS = [name for _, name, _ in SPECIES]
_FEWEST = 50  # positions of a bin, below which its mean says little


def animals_picture(thoughts: Thoughts) -> Figure:
    """Returns two heat maps: how often an animal is played when held, and what holding it is worth, by own turn."""
    # a value of 1 more is half a point of win chance more
    return animal_maps(ANIMALS, 100 * play_shares(thoughts), 100 * holding_worth(thoughts) / 2)


def calibration_picture(thoughts: Thoughts) -> Figure:
    """Returns plots of the network's and the search's values against what came of them, by stage of the game."""
    values: dict[str, NDArray[np.float32]] = {"network": thoughts.network_values, "search": thoughts.search_values}
    found = {name: calibration_by_stage(thoughts, predicted) for name, predicted in values.items()}
    return calibration_comparison(found, fewest=_FEWEST)


def by_animal(table: NDArray[np.float64]) -> dict[str, list[float]]:
    """Returns animal to its row of a table [animals, ...], with three decimals."""
    return dict(zip(ANIMALS, table.round(3).tolist(), strict=True))


def _position(turn: Mapping[str, Any]) -> str:
    return " ".join(f"`{part}`" for part in turn["position"].split(" ")[:3])


def _best(turn: Mapping[str, Any]) -> str:
    return ", ".join(f"{text} {share:.0f} %" for text, share in turn["best"])


TURN_COLUMNS = (
    Column[Mapping[str, Any]]("turn", lambda turn: str(turn["ply"] + 1)),
    Column[Mapping[str, Any]]("player", lambda turn: turn["player"]),
    Column[Mapping[str, Any]]("line, bar, out", _position),
    Column[Mapping[str, Any]]("hands", lambda turn: f"`{turn['position'].split(' ')[3]}`"),
    Column[Mapping[str, Any]]("plays", lambda turn: f"**{turn['action']}**{'' if turn['agrees'] else ' ?'}"),
    Column[Mapping[str, Any]]("win chance", lambda turn: f"{turn['chance']:.0f} %"),
    Column[Mapping[str, Any]]("the search would play", _best),
)
"""What is shown of each turn. A question mark stands where the search would have played something else."""

BELIEF_COLUMN = Column[Mapping[str, Any]](
    "believes in the other hand", lambda turn: ", ".join(f"{card} {share} %" for card, share in turn["believed"])
)
"""Further column where the agent has beliefs: the cards that the opponent most probably holds."""


def game_as_markdown(turns: Sequence[Mapping[str, Any]]) -> str:
    """Returns the turns of `annotated_game` as a table; positions are written as docs/notation.md says."""
    last = turns[-1]
    winner = "a draw" if last["winner"] is None else f"player {last['winner']} wins"
    columns = TURN_COLUMNS + ((BELIEF_COLUMN,) if any(turn["believed"] for turn in turns[:-1]) else ())
    return (
        f"{markdown_table(columns, turns[:-1])}\n\nThe bar at the end: `{last['position'].split(' ')[1]}`, "
        f"{last['scores'][0]} to {last['scores'][1]} points, {winner}.\n"
    )
