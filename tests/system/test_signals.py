"""Ctrl-C, SIGTERM and SLURM's SIGUSR1 end a run soon, in the midst of self-play, and nothing that was done is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support.process_tools import needs_proc

pytestmark = [pytest.mark.timeout(600), needs_proc, pytest.mark.slow]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Returns what became of each run, by signal."""
    script = Path(__file__).parents[1] / "support" / "signalled_lives.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path_factory.mktemp("signals"))],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("way", "code"), [("SIGINT", 1), ("SIGTERM", 0), ("first", 0), ("again", 0)])
def test_a_run_ends_soon_and_keeps_its_iterations(said: dict[str, Any], way: str, code: int) -> None:
    """A run that plays on to the end of its iteration, for hours, until it is killed."""
    one = said[way]
    assert one["code"] == code, one["output"]
    assert one["seconds"] < 10, one["seconds"]
    assert "Traceback" not in one["output"]
    path = Path(one["checkpoint"])
    last = one["output"].rstrip().splitlines()[-1]
    assert last.startswith("To go on: the same command with --ckpt_path ") and last.endswith("/".join(path.parts[-4:]))
    assert torch.load(one["checkpoint"], weights_only=True)["global_step"] == 3


@pytest.mark.parametrize(("command", "code"), [("validate", 0), ("test", 1)])
def test_an_evaluation_ends_soon(said: dict[str, Any], command: str, code: int) -> None:
    """Fails if an evaluation plays on to the end of a match, for hours."""
    one = said[command]
    assert one["code"] == code and one["seconds"] < 10, one
    assert "Traceback" not in one["output"]


def test_slurm_s_signal_puts_the_job_back_and_the_job_goes_on(said: dict[str, Any]) -> None:
    """A job that begins anew, or with the checkpoint its command names, and so loses what it had done."""
    assert "SLURM: job 4711 is back in the queue and goes on from " in said["first"]["output"]
    folder = Path(said["first"]["checkpoint"]).parents[4]
    assert (folder / "scontrol.log").read_text() == "requeue 4711\n"
    assert f"SLURM started job 4711 again: it goes on from {said['first']['checkpoint']}" in said["again"]["output"]
    assert said["again"]["checkpoint"] == said["first"]["checkpoint"], "the second life had no time for an iteration"
    # nor does it share files with other jobs that are started in the same folder, as Lightning's own would
    assert not any("hpc" in name for name in said["other"]["files"])
