"""Builds the tables that are shown in the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from lit_trainer.measuring.metrics import WinRateResult


def evaluation_table(
    results: Mapping[str, WinRateResult], before: Mapping[str, float] | None = None, title: str = "Evaluation"
) -> Table:
    """The results as a rich table: opponent, games, win, draw, loss, score with interval, change of the score."""
    table = Table(
        title=f"{title} (in % of the games; 95 % intervals)", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in ("opponent", "games", "win", "draw", "loss", "score", "interval", "change"):
        table.add_column(column, justify="left" if column == "opponent" else "right", no_wrap=True)
    for name, result in results.items():
        shares = [100 * count / max(result.games, 1) for count in (result.wins, result.draws, result.losses)]
        change = f"{100 * (result.score - before[name]):+.1f}" if before and name in before else ""
        table.add_row(
            name,
            str(result.games),
            *(f"{share:.1f}" for share in (*shares, 100 * result.score)),
            f"{100 * result.low:.1f} - {100 * result.high:.1f}",
            change,
        )
    return table
