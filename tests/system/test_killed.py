"""A run that is killed outright twenty times ends in the weights of the run that was not, bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support import killed_lives
from support.checkpoints import KEPT, assert_same
from support.cli_tools import metrics

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="lives are forked"),
]


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    """State that is not in the checkpoint, half a checkpoint, results that depend on the number of threads (lives have
    one and two in turn), win rates that are logged after the checkpoint that counts on them."""
    done = subprocess.run(
        [sys.executable, killed_lives.__file__, str(tmp_path), "7"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=880,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    dealt = json.loads(done.stdout)["dealt"]
    assert sorted(dealt.values()) == sorted(killed_lives.KILLS)
    (straight,) = (tmp_path / "straight/runs/connect_four").glob("version_*")
    legs = sorted((tmp_path / "killed/runs/connect_four").glob("version_*"), key=lambda leg: int(leg.name[8:]))
    last = killed_lives.newest(tmp_path / "killed")
    assert last is not None and last.is_relative_to(legs[-1])
    whole, resumed = (torch.load(path, weights_only=True) for path in (straight / "checkpoints/last.ckpt", last))
    assert whole["SelfPlayDataModule"]["opponent_pool"]["past"].keys() == {40, 45}
    for key in KEPT:
        assert_same(whole[key], resumed[key], key)
    for column, may_lack in {"val/win_rate/random": 0, "val/win_rate/tactical": 0, "train/loss": 20}.items():
        wanted, found = metrics(straight, column), {}
        for leg in legs:
            # a life that was killed as it started has no file yet
            rows = metrics(leg, column) if (leg / "metrics.csv").is_file() else {}
            assert all(found.setdefault(epoch, value) == value for epoch, value in rows.items()), column
        assert found.items() <= wanted.items(), column
        assert len(wanted) - len(found) <= may_lack, column
    assert len(metrics(straight, "val/win_rate/random")) == 12
    left = sorted(path.name.split(".")[-2] for path in (tmp_path / "killed").rglob(".*.partial"))
    writing = sorted(pid for pid, way in dealt.items() if way == "writing")
    # a kill at any moment between two checkpoints may happen to meet one that is being written, too
    by_chance = [pid for pid in left if dealt.get(pid) == "between"]
    assert sorted(writing + by_chance) == left and len(set(left)) == len(left)
