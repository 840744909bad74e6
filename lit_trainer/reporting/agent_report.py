"""The pictures and annotated games of a report on a trained agent (Beasty Bar)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_trainer.measuring.agent_analysis import Thoughts, holding_worth, play_shares
from lit_trainer.measuring.calibration import calibration, calibration_gap
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player
from sim_core import ACTIONS, GameBatch
from sim_core.beasty_bar.rules import SPECIES

ANIMALS = [name for _, name, _ in SPECIES]
STAGES = {"turns 0 to 5": (0, 6), "turns 6 to 11": (6, 12), "turns 12 to 15": (12, 16)}


def animals_picture(thoughts: Thoughts) -> Figure:
    """Two heat maps: how often an animal is played when held, and what holding it is worth, by own turn."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    shares, worth = 100 * play_shares(thoughts), 100 * holding_worth(thoughts) / 2
    limit = float(np.abs(worth).max())
    for axes, table, title, options in (
        (left, shares, "played when in hand, % of the turns", {"cmap": "viridis", "vmin": 0, "vmax": 100}),
        (right, worth, "worth of holding it, points of win chance", {"cmap": "RdBu", "vmin": -limit, "vmax": limit}),
    ):
        image = axes.imshow(table, aspect="auto", **options)
        axes.set(xlabel="own turn", title=title, xticks=range(table.shape[1]), yticks=range(12), yticklabels=ANIMALS)
        axes.set_xticklabels([str(turn + 1) for turn in range(table.shape[1])])
        for (row, column), value in np.ndenumerate(table):
            if np.isfinite(value):
                dark = sum(image.cmap(image.norm(value))[:3]) < 1.3
                colour = "white" if dark else "black"
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=colour)
        figure.colorbar(image, ax=axes)
    return figure


def calibration_picture(thoughts: Thoughts) -> Figure:
    """The network's and the search's values against what came of them, by stage of the game."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    for axes, values, title in zip(
        figure.subplots(1, 2, sharey=True),
        (thoughts.network_values, thoughts.search_values),
        ("network", "search"),
        strict=True,
    ):
        axes.plot([-1, 1], [-1, 1], color="grey", linewidth=0.8, linestyle=":")
        for name, (low, high) in STAGES.items():
            now = (thoughts.plies >= low) & (thoughts.plies < high)
            predicted, came, counts = calibration(values[now], thoughts.outcomes[now], bins=16)
            enough = counts >= 50
            axes.plot(predicted[enough], came[enough], marker="o", markersize=4, label=name)
        axes.set(xlabel="predicted value", ylabel="mean outcome", title=f"Value of the {title}", aspect="equal")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
    return figure


def calibration_errors(thoughts: Thoughts) -> dict[str, dict[str, float]]:
    """Of network and search, by stage: mean absolute gap of prediction and outcome over bins, and squared error."""
    found: dict[str, dict[str, float]] = {}
    for name, (low, high) in STAGES.items():
        now = (thoughts.plies >= low) & (thoughts.plies < high)
        row: dict[str, float] = {}
        for kind, values in (("network", thoughts.network_values), ("search", thoughts.search_values)):
            row[f"{kind}_gap"] = calibration_gap(*calibration(values[now], thoughts.outcomes[now], bins=16))
            row[f"{kind}_squared_error"] = float(((values[now] - thoughts.outcomes[now]) ** 2).mean())
        found[name] = row
    return found


def annotated_game(
    players: Sequence[Player], names: Sequence[str], judge: NetworkPlayer, seed: int, game: str = "beasty_bar"
) -> list[dict[str, Any]]:
    """One game, turn by turn, with what the judge thinks of each before it is taken.

    Args:
        players: of seat 0 and seat 1; seat 0 begins.
        names: theirs.
        judge: searches every position from its mover's view.
        seed: of the deal.
        game: name of the game.

    Returns:
        one entry a turn: ply, player, position, action, chance (of the mover, in %), best (the three actions searched
        most, with their shares in %), and whether the action is among the judge's first choices (`agrees`).
    """
    batch = GameBatch(1, seed, game=game)
    turns: list[dict[str, Any]] = []
    while not batch.is_terminal[0]:
        seat = int(batch.to_move[0])
        found = judge.search(batch)
        shares = found.visit_counts[0] / max(found.visit_counts[0].sum(), 1)
        order = np.argsort(-shares, kind="stable")[:3]
        action = int(players[seat].act(batch).actions[0])
        turns.append(
            {
                "ply": int(batch.ply[0]),
                "player": names[seat],
                "position": str(batch.state(0)),
                "action": ACTIONS[action],
                "chance": round(50 * (1 + float(found.value[0])), 1),
                "best": [[ACTIONS[k], round(100 * float(shares[k]), 1)] for k in order if shares[k] > 0],
                "agrees": bool(action == found.actions[0]),
            }
        )
        batch.step([action])
    final = batch.state(0)
    turns.append({"ply": 24, "position": str(final), "scores": list(final.scores()), "winner": final.winner()})
    return turns


def game_as_markdown(turns: Sequence[dict[str, Any]]) -> str:
    """The turns as a table; the line, bar and THAT'S IT pile as docs/notation.md writes them."""
    lines = ["| turn | player | line, bar, out | hands | plays | win chance | the search would |", "|" + "---|" * 7]
    for turn in turns[:-1]:
        line, bar, out, hands = turn["position"].split(" ")[:4]
        best = ", ".join(f"{text} {share:.0f} %" for text, share in turn["best"])
        mark = "" if turn["agrees"] else " ?"
        where = f"`{line}` `{bar}` `{out}` | `{hands}`"
        lines.append(
            f"| {turn['ply'] + 1} | {turn['player']} | {where} | **{turn['action']}**{mark} | {turn['chance']:.0f} % "
            f"| {best} |"
        )
    last = turns[-1]
    winner = "a draw" if last["winner"] is None else f"player {last['winner']} wins"
    return (
        "\n".join(lines) + f"\n\nThe bar at the end: `{last['position'].split(' ')[1]}`, {last['scores'][0]} to "
        f"{last['scores'][1]} points, {winner}.\n"
    )


def _rows(table: NDArray[np.float64]) -> dict[str, list[float]]:
    """The table by animal; what is not a number becomes null in JSON."""
    return dict(zip(ANIMALS, table.round(3).tolist(), strict=True))
