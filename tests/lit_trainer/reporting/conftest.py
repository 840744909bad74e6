"""A small tournament shared by the tests of its report and of its file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.measuring.move_times import MoveTime
from lit_trainer.measuring.tournament import Entry, Pairing, Tournament, rate

ENTRIES = (
    Entry("weak", "weak", "weak"),
    Entry("strong", "a.ckpt@4", "abc@4", simulations=4, iteration=7, ms_per_move=MoveTime(0.25, 2.0)),
)
LOST = Pairing(0, 1, MatchResult(2, 0, 6, 0.25, 0.1, 0.5, -3.0, -5.0, -1.0, -2.5, 6, 2.5), (2, 0, 2, 0, 0), 1.5)


@pytest.fixture
def finished() -> Tournament:
    begun = Tournament("beasty_bar", 8, 3, "cpu", ENTRIES, pairings=(LOST,))
    return replace(begun, ratings=rate(begun))
