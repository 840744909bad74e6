"""Checks refuse what is out of bounds, by name and value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer.utils.checks import time_limit, whole_number


@pytest.mark.parametrize("value", [0, 11, True, 2.0, "3", None])
def test_what_is_no_whole_number_within_bounds_is_refused(value: Any) -> None:
    for good in (1, 10):
        whole_number("games", good, 1, 10)
    with pytest.raises(ValueError, match=rf"^games: {value!r} given, expected a whole number from 1 to 10$"):
        whole_number("games", value, 1, 10)


@pytest.mark.parametrize("value", [np.int64(3), np.array(3), torch.tensor(3)])
def test_a_number_of_another_library_is_refused_for_its_type(value: Any) -> None:
    """Settings are written into YAML files and checkpoints. "3 given, expected 1 to 10" would be no reason."""
    with pytest.raises(ValueError, match=r"^games: .* of type \w+ given, expected a whole number from 1 to 10$"):
        whole_number("games", value, 1, 10)


@pytest.mark.parametrize("value", [0, -1.0, True, float("nan"), float("inf"), "1"])
def test_what_is_no_time_limit_is_refused(value: Any) -> None:
    for good in (None, 0.5, 300):
        time_limit("timeout", good)
    with pytest.raises(ValueError, match=r"^timeout: .* given, expected seconds above 0"):
        time_limit("timeout", value)
