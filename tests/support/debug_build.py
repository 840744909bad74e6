"""Asserts, inside a debug build, that its C has bounds checks, and that games are tried at their first use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support import python_game  # noqa: E402

import sim_core  # noqa: E402


def main() -> None:
    assert Path(sim_core.__file__).is_relative_to(ROOT), sim_core.__file__
    assert "__Pyx_RaiseBufferIndexError" in (ROOT / "sim_core" / "batch.c").read_text()
    sim_core.GameBatch(2, 1).play_random()
    asked = 0

    def errs_later(opponent: int, state: int, stream: Any) -> int:
        nonlocal asked
        asked += 1
        return 9 if asked > 100 else python_game.FUNCTIONS["opponent_action"](opponent, state, stream)

    python_game.register("late", opponent_action=errs_later)
    try:
        sim_core.get_game("late")
    except ValueError as error:
        assert str(error).startswith("opponent_action: 9 by random"), error
    else:
        raise AssertionError("a game that breaks its contract was used")


if __name__ == "__main__":
    main()
