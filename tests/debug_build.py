"""Run inside a debug build: asserts that it is one, with bounds checks in its C and lines that can be traced."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import sim_core  # noqa: E402

seen: set[str] = set()


def trace(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "line":
        seen.add(Path(frame.f_code.co_filename).name)
    return trace


def main() -> None:
    assert Path(sim_core.__file__).is_relative_to(ROOT), sim_core.__file__
    assert "__Pyx_RaiseBufferIndexError" in (ROOT / "sim_core" / "batch.c").read_text()
    sys.settrace(trace)
    sim_core.GameBatch(2, 1).play_random()
    sys.settrace(None)
    assert {"batch.pyx"} <= seen, seen


if __name__ == "__main__":
    main()
