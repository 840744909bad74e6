"""Adds to errors of memory which setting to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_START = "Out of memory "


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error says that memory ran out, of a GPU or of the machine.

    Args:
        error: Any error.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # torch has no class for what it raises on the CPU
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def add_memory_advice(error: BaseException, where: str, advice: str) -> None:
    """Adds a note to an error of memory, unless it has one, because the innermost place knows best.

    Args:
        error: Any error. Errors of another kind stay as they are.
        where: What was going on, e.g. "in self-play".
        advice: Which settings to lower, with their present values.
    """
    noted = any(note.startswith(_START) for note in getattr(error, "__notes__", ()))
    if is_out_of_memory(error) and not noted:
        error.add_note(f"{_START}{where}: {advice}")


@contextmanager
def memory_advice(where: str, advice: str) -> Iterator[None]:
    """Adds a note to errors of memory that are raised within the block, see `add_memory_advice`.

    Args:
        where: What is going on, e.g. "in self-play".
        advice: Which settings to lower, with their present values.
    """
    try:
        yield
    except BaseException as error:
        add_memory_advice(error, where, advice)
        raise
