"""Sends signals to training runs in the midst of self-play; `test_signals.py` starts it, and reads what it prints.

python tests/support/signalled_lives.py FOLDER
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from support.killed_lives import configuration
from support.lives import born, end, newest, wait_for

SCONTROL = """#!/bin/sh
echo "$@" >> scontrol.log
"""


def endless() -> dict[str, Any]:
    """Returns the configuration of a run with one small iteration, then one whose games never end."""
    found = configuration()
    schedule = {"target": "trainer.datamodule.generation.games", "decay_type": "piecewise", "integer": True}
    schedule["points"] = {0: 32, 1: 100_000}
    found["trainer"]["callbacks"].append({"class_path": "callbacks.ScheduleCallback", "init_args": schedule})
    found["data"]["generation"] |= {"parallel_games": 64, "simulations": 64}
    return found


def ended(folder: Path, number: int, *flags: str, **environment: str) -> dict[str, Any]:
    """Sends a signal in the midst of self-play, once there is a checkpoint. Returns what became of the run."""
    pid = born(folder, "fit", "--config=../run.yaml", *flags, **environment)
    wait_for(pid, folder, lambda: newest(folder))
    return sent(pid, folder, number) | {"checkpoint": str(newest(folder))}


def ended_in_evaluation(folder: Path, number: int, command: str) -> dict[str, Any]:
    """Sends a signal in the midst of an evaluation that would never end. Returns what became of the run."""
    games = "--data.test.games=200000" if command == "test" else "--data.evaluation.games=200000"
    searched = ["--data.test.simulations=[64]"] if command == "test" else ["--data.evaluation.simulations=64"]
    pid = born(folder, command, "--config=../run.yaml", games, *searched, "--untrained=true")
    return sent(pid, folder, number)


def sent(pid: int, folder: Path, number: int) -> dict[str, Any]:
    """Sends a signal once there are threads that play. Returns what became of the process."""
    wait_for(pid, folder, lambda: len(os.listdir(f"/proc/{pid}/task")) > 1)
    time.sleep(0.5)
    moment = time.monotonic()
    os.kill(pid, number)
    code = end(pid)
    return {"code": code, "seconds": time.monotonic() - moment, "output": output(folder)}


def output(folder: Path) -> str:
    return (folder / "output").read_text() if (folder / "output").is_file() else ""


def slurm(root: Path) -> dict[str, str]:
    """Returns the variables that SLURM sets for a job of one task, and makes a `scontrol` that logs its arguments."""
    tools = root / "tools"
    tools.mkdir()
    (tools / "scontrol").write_text(SCONTROL)
    (tools / "scontrol").chmod(0o755)
    ids = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    return ids | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "SLURM_NTASKS": "1",
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "train",
    }


if __name__ == "__main__":
    root = Path(sys.argv[1])
    (root / "run.yaml").write_text(yaml.safe_dump(endless()))
    said = {name: ended(root / name, getattr(signal, name)) for name in ("SIGINT", "SIGTERM")}
    for command, name in (("validate", "SIGTERM"), ("test", "SIGINT")):
        said[command] = ended_in_evaluation(root / command, getattr(signal, name), command)
    environment = slurm(root)
    said["first"] = ended(root / "slurm", signal.SIGUSR1, **environment)
    # as SLURM starts a job: with the same command line, whatever checkpoint it names
    said["again"] = ended(root / "slurm", signal.SIGTERM, f"--ckpt_path={root / 'no.ckpt'}", **environment)
    said["other"] = {"files": sorted(str(path.relative_to(root)) for path in root.rglob("*ckpt*") if path.is_file())}
    print(json.dumps(said))
