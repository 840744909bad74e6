"""The command `lit-trainer inspect`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.summary import network_facts, run_facts
from lit_trainer.reporting.tables import Column, build_table

COLUMNS = (
    Column[tuple[str, str]]("what", lambda fact: fact[0], left=True),
    Column[tuple[str, str]]("is", lambda fact: fact[1], left=True, wraps=True),
)


def inspect(checkpoint: str, /) -> None:
    """Prints what a checkpoint is: its network, its run, and what a resumed run would go on with.

    Args:
        checkpoint: Path of the checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or no checkpoint of this library.
    """
    found = Checkpoint.read(checkpoint, "checkpoint")
    try:
        facts = [*network_facts(found), *run_facts(found)]
    except (KeyError, TypeError, IndexError, AttributeError) as error:  # parts of it are of other types
        raise ValueError(f"checkpoint: {checkpoint!r} is damaged ({type(error).__name__}: {error})") from None
    facts.append(("file", f"{Path(checkpoint).stat().st_size / 1e6:.1f} MB"))
    Console(emoji=False, highlight=False).print(build_table(escape(checkpoint), COLUMNS, facts))
