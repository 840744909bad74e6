"""Imports the packages that a command names, so that their games and networks are known, also in worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

HELP = "Package to import first, or a list of them: one that registers a game or defines a network of a checkpoint."
"""Text of the flag ``--import``."""

_named: tuple[str, ...] = ()


def import_packages(names: str | Sequence[str]) -> None:
    """Imports packages, and remembers them in place of those named before.

    Args:
        names: Name of a package or module, or a list of them.

    Raises:
        ValueError: A package cannot be imported; names it and says why.
    """
    global _named
    _named = (names,) if isinstance(names, str) else tuple(names)
    for name in _named:
        try:
            import_module(name)
        except Exception as error:  # whatever its code raises
            raise ValueError(f"import: {name!r} cannot be imported: {type(error).__name__}: {error}") from error


def named_packages() -> tuple[str, ...]:
    """Returns the packages that `import_packages` imported last. Worker processes import them, too."""
    return _named
