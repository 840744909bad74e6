"""Asserts, inside a debug build, that it is one, with bounds checks in its C."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import sim_core  # noqa: E402


def main() -> None:
    assert Path(sim_core.__file__).is_relative_to(ROOT), sim_core.__file__
    assert "__Pyx_RaiseBufferIndexError" in (ROOT / "sim_core" / "batch.c").read_text()
    sim_core.GameBatch(2, 1).play_random()


if __name__ == "__main__":
    main()
