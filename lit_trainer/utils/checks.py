"""Checks of settings: the error names the field, the value and what would be right."""

from __future__ import annotations

from typing import Any

_LONGEST = 1_000_000_000
"""Seconds: what every way of waiting takes."""


def whole_number(field: str, value: Any, lowest: int, highest: int | None = None) -> None:
    """Raise ValueError unless the value is a whole number of at least `lowest`, and at most `highest` where given."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and lowest <= value and (highest is None or value <= highest):
        return
    expected = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest:,}"
    raise ValueError(f"{field}: {value!r} given, expected a whole number {expected}")


def time_limit(field: str, value: object) -> None:
    """Raise ValueError unless the value is a number of seconds above 0, or None for no limit."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value <= _LONGEST:
        raise ValueError(f"{field}: {value!r} given, expected seconds above 0 up to {_LONGEST:,}, or null for no limit")
