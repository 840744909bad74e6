"""Where memory runs out, the error says which setting to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_START = "Out of memory "


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of a GPU or of the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # what torch raises on the CPU has no class of its own
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def add_memory_advice(error: BaseException, where: str, advice: str) -> None:
    """Add a note to an error of memory, unless it has one: the innermost place knows best.

    Args:
        error: any.
        where: what was going on, e.g. "in self-play".
        advice: which settings to lower, and what they are.
    """
    noted = any(note.startswith(_START) for note in getattr(error, "__notes__", ()))
    if is_out_of_memory(error) and not noted:
        error.add_note(f"{_START}{where}: {advice}")


@contextmanager
def memory_advice(where: str, advice: str) -> Iterator[None]:
    """Add a note to errors of memory that come from within, see `add_memory_advice`."""
    try:
        yield
    except BaseException as error:
        add_memory_advice(error, where, advice)
        raise
