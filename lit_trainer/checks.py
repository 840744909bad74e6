"""Checks of settings: the error names the field, the value and what would be right."""

from __future__ import annotations

import math


def whole_number(field: str, value: object, lowest: int) -> None:
    """Raise ValueError unless the value is a whole number of at least `lowest`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise ValueError(f"{field}: {value!r} given, expected a whole number of at least {lowest}")


def time_limit(field: str, value: object) -> None:
    """Raise ValueError unless the value is a number of seconds above 0, or None for no limit."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise ValueError(f"{field}: {value!r} given, expected seconds above 0, or null for no limit")
