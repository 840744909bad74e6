"""Checks settings. The error names the field, the value and what would be right."""

from __future__ import annotations

from typing import Any

_LONGEST = 1_000_000_000
"""Seconds. Every way of waiting accepts this many."""


def whole_number(field: str, value: Any, lowest: int, highest: int | None = None) -> None:
    """Checks that a value is a whole number within bounds.

    Args:
        field: Name of the setting, for the message.
        value: Value to check. True and False are not numbers.
        lowest: Smallest allowed value.
        highest: Largest allowed value. None: no limit.

    Raises:
        ValueError: The value is something else.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and lowest <= value and (highest is None or value <= highest):
        return
    expected = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest:,}"
    kind = f" of type {type(value).__name__}" if hasattr(value, "__index__") and not isinstance(value, int) else ""
    raise ValueError(f"{field}: {value!r}{kind} given, expected a whole number {expected}")


def time_limit(field: str, value: object) -> None:
    """Checks that a value is a number of seconds above 0, or None for no limit.

    Args:
        field: Name of the setting, for the message.
        value: Value to check.

    Raises:
        ValueError: The value is something else.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value <= _LONGEST:
        raise ValueError(f"{field}: {value!r} given, expected seconds above 0 up to {_LONGEST:,}, or null for no limit")
