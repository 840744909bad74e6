"""Worker processes as the trainer sees them: their faults show, and none is left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.process_tools import alive, needs_proc
from support.worker_games import Driven, player, self_play

from lit_trainer import OpponentPool
from lit_trainer.self_play.workers.pool import WorkerError

pytestmark = pytest.mark.timeout(120)
Start = Callable[..., Driven]


@pytest.mark.parametrize(
    ("agent", "named"),
    [
        ("Raises", "RuntimeError: the agent is tired"),
        ("OnlyAtHome", "opponents: bad cannot be made in a worker process: .*not at home"),
    ],
)
def test_what_a_worker_raises_is_shown(start: Start, agents: Any, agent: str, named: str) -> None:
    source: dict[str, Any] = {"class_path": f"my_agents.{agent}"}
    if agent == "OnlyAtHome":
        source["init_args"] = {"pid": os.getpid()}
    pool = OpponentPool(["bad"], 0.5, 0.0, agents={"bad": source})
    driven = start(player(), pool)
    with pytest.raises(WorkerError, match=rf"(?s)^worker 0 \(pid \d+\) raised:\nTraceback.*{named}"):
        driven.collect(0)


@needs_proc
def test_a_worker_without_a_sign_of_life_is_given_up(start: Start, agents: Any) -> None:
    """A trainer that waits for ever, or that cannot get rid of a worker that does not hear it."""
    pool = OpponentPool(["bad"], 0.0, 0.0, agents={"bad": agents.HoldsPython()})
    driven = start(player(), pool, timeout=3.0)
    driven.generator.start(0)
    (pid,) = driven.generator.pids
    with pytest.raises(
        WorkerError, match=r"^worker 0 \(pid \d+\) has given no sign of life for 3 s \(data\.workers\.t"
    ):
        driven.collect(0)
    assert alive(pid)
    started = time.monotonic()
    driven.generator.close()
    assert not alive(pid) and time.monotonic() - started < 10


def test_an_import_that_fails_is_shown(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A worker that dies before it can say anything itself."""
    (tmp_path / "torch.py").write_text("raise ImportError('a broken torch')")
    monkeypatch.syspath_prepend(str(tmp_path))
    driven = start(player(), self_play())
    with pytest.raises(WorkerError, match=r"(?s)^worker 0 .*ended with exit status 1.*a broken torch"):
        driven.collect(0)
