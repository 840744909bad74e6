"""The environment names this machine and these versions."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import torch

from lit_trainer.utils.environment import environment, versions


def test_it_names_now_this_torch_and_these_processors() -> None:
    found = environment()
    date = datetime.fromisoformat(found["date"])
    assert date.tzinfo is not None and abs((datetime.now(UTC) - date).total_seconds()) < 60
    assert found["torch"] == torch.__version__ and found["cpus"] == os.cpu_count()
    assert versions().items() <= found.items() and type(versions()["torch"]) is str
