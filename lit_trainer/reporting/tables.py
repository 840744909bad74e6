"""Builds all tables of results, for the terminal and in Markdown, from lists of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from typing import Generic, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table

from lit_trainer.measuring.matches import with_model
from lit_trainer.measuring.metrics import MatchResult

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """Says what a column shows of a row."""

    title: str
    """Heading of the column."""
    text: Callable[[Row], str]
    """Returns the text of a cell, empty where the row has nothing to show."""
    left: bool = False
    """Whether the cells are set flush left. Numbers are set flush right."""
    wraps: bool = False
    """Whether long texts go on in a further line. By default the table grows wider than the terminal."""


def build_table(title: str, columns: Sequence[Column[Row]], *sections: Iterable[Row]) -> Table:
    """Returns a table for the terminal, with a line for each row and an empty line or a rule between sections.

    Args:
        title: Heading of the table.
        columns: Columns, from left to right.
        *sections: Rows of each section. Most tables have one section.
    """
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.title, justify="left" if column.left else "right", no_wrap=not column.wraps)
    for rows in sections:
        for row in rows:
            table.add_row(*(column.text(row) for column in columns))
        table.add_section()
    return table


def markdown_table(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> str:
    """Returns the table in Markdown."""
    cells = [
        [column.title for column in columns],
        ["---"] * len(columns),
        *([column.text(row) for column in columns] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def print_table(table: Table) -> None:
    """Prints a table, wider than the terminal where it must be, so that no number is left out."""
    # a name such as ismcts:100: is no picture
    console = Console(emoji=False, highlight=False)
    width = console.measure(table, options=console.options.update(max_width=10_000)).maximum
    if width > console.width:
        console = Console(emoji=False, highlight=False, width=width)
    console.print(table)


# -- matches -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MatchRow:
    """Holds what a line about a match shows."""

    opponent: str
    """The opponent's name."""
    result: MatchResult
    """How the match ended."""
    before: float | None = None
    """The score at the evaluation before, if there was one."""


def percent(share: float) -> str:
    """Returns a share of 0 to 1 in percent, with one decimal."""
    return f"{100 * share:.1f}"


def _share(count: Callable[[MatchResult], int]) -> Callable[[MatchRow], str]:
    return lambda row: percent(count(row.result) / max(row.result.games, 1))


def _margin(row: MatchRow) -> str:
    mean, low, high = row.result.margin, row.result.margin_low, row.result.margin_high
    if mean is None:
        return ""
    # one pair of games alone has no standard error
    return f"{mean:+.2f}" if low is None or high is None or isinf(high) else f"{mean:+.2f} ± {(high - low) / 2:.2f}"


def _median_margin(row: MatchRow) -> str:
    return "" if row.result.median_margin is None else f"{row.result.median_margin:+.1f}"


def _distinct(row: MatchRow) -> str:
    return "" if row.result.distinct_games is None else str(row.result.distinct_games)


def _change(row: MatchRow) -> str:
    return "" if row.before is None else f"{100 * (row.result.score - row.before):+.1f}"


OPPONENT = Column[MatchRow]("opponent", lambda row: row.opponent, left=True)
SCORE = Column[MatchRow]("score %", lambda row: percent(row.result.score))
INTERVAL = Column[MatchRow]("95 %", lambda row: f"{percent(row.result.low)} to {percent(row.result.high)}")
DISTINCT = Column[MatchRow]("distinct", _distinct)
MARGIN = Column[MatchRow]("margin", _margin)
MEDIAN_MARGIN = Column[MatchRow]("median margin", _median_margin)
CHANGE = Column[MatchRow]("change", _change)

VALIDATION_COLUMNS = (
    OPPONENT,
    Column[MatchRow]("games", lambda row: str(row.result.games)),
    DISTINCT,
    Column[MatchRow]("win %", _share(lambda result: result.wins)),
    Column[MatchRow]("draw %", _share(lambda result: result.draws)),
    Column[MatchRow]("loss %", _share(lambda result: result.losses)),
    SCORE,
    INTERVAL,
    MEDIAN_MARGIN,
    CHANGE,
)
"""What is shown of each match of an evaluation."""

TEST_COLUMNS = (
    OPPONENT,
    Column[MatchRow]("won", lambda row: str(row.result.wins)),
    Column[MatchRow]("drawn", lambda row: str(row.result.draws)),
    Column[MatchRow]("lost", lambda row: str(row.result.losses)),
    DISTINCT,
    SCORE,
    INTERVAL,
    MARGIN,
    MEDIAN_MARGIN,
)
"""What is shown of each match of a test, in the terminal and on the card of an exported network."""


def evaluation_table(
    results: Mapping[str, MatchResult], before: Mapping[str, float] | None = None, title: str = "Evaluation"
) -> Table:
    """Returns the table of an evaluation, a line for each opponent.

    Args:
        results: Opponent to the result of its match.
        before: Opponent to its score at the evaluation before, for the column of changes.
        title: Heading of the table.
    """
    rows = [MatchRow(name, result, (before or {}).get(name)) for name, result in results.items()]
    return build_table(title, VALIDATION_COLUMNS, rows)


def match_table(results: Mapping[str, MatchResult], title: str) -> Table:
    """Returns the table of a test at one number of simulations, a line for each opponent."""
    return build_table(title, TEST_COLUMNS, [MatchRow(name, result) for name, result in results.items()])


# -- matches side by side ----------------------------------------------------------------------------------------------

Compared = Mapping[str, MatchRow]
"""Model of an opponent to the match that the player played by it."""


def compared_columns(models: Iterable[str]) -> list[Column[Compared]]:
    """Returns columns that show the main figures of an opponent's matches side by side.

    Args:
        models: What the player knew of its opponents, from left to right.
    """
    columns = [Column[Compared](OPPONENT.title, lambda row: OPPONENT.text(next(iter(row.values()))), left=True)]
    pairs = [(column, model) for column in (SCORE, INTERVAL, MARGIN) for model in models]
    return columns + [_of_model(column, model) for column, model in pairs]


def _of_model(column: Column[MatchRow], model: str) -> Column[Compared]:
    return Column(with_model(column.title, model), lambda row: column.text(row[model]) if model in row else "")


def compared_rows(
    models: Mapping[str, Mapping[str, MatchResult]], before: Mapping[str, float] | None = None
) -> list[Compared]:
    """Returns a row for each opponent.

    Args:
        models: What the player knew of its opponents, then opponent, to result.
        before: Opponent to its score at the evaluation before, with the first model.
    """
    rows: dict[str, dict[str, MatchRow]] = {}
    for model, results in models.items():
        for name, result in results.items():
            rows.setdefault(name, {})[model] = MatchRow(name, result, (before or {}).get(name))
    return list(rows.values())


def comparison_table(
    models: Mapping[str, Mapping[str, MatchResult]], title: str, before: Mapping[str, float] | None = None
) -> Table:
    """Returns the table of matches at one number of simulations, with all that the player knew side by side.

    Args:
        models: What the player knew of its opponents, then opponent, to result.
        title: Heading of the table.
        before: Opponent to its score at the evaluation before, with the first model. None: no column of changes.
    """
    changes = [] if before is None else [_of_model(CHANGE, next(iter(models)))]
    return build_table(title, compared_columns(models) + changes, compared_rows(models, before))
