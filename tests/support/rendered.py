"""Reads a table of the terminal back."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table


def rendered(table: Table, width: int = 200) -> list[list[str]]:
    """Returns the cells of each line, as a terminal shows them."""
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines if line.strip(" ─")]
