"""Runs one training run untouched, and the same again killed over and over; `test_killed.py` starts it.

It is killed by SIGKILL: while it starts, at some moment between two checkpoints, or while it writes one.

    python tests/support/killed_lives.py FOLDER SEED
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from support.lives import born, end, newest, wait_for

ITERATIONS = 48
KILLS = ["start"] * 4 + ["between"] * 10 + ["writing"] * 6
ROOT = Path(__file__).parents[2]
CONFIG, DEFAULTS = ROOT / "configs" / "connect_four.yaml", ROOT / "lit_trainer" / "cli" / "defaults.yaml"


def configuration() -> dict[str, Any]:
    """Returns connect four's configuration, without pictures, with a population, and small."""
    found: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    found["evaluate_first"] = False
    trainer, data = found["trainer"], found["data"]
    shared = yaml.safe_load(DEFAULTS.read_text())["trainer"]
    drawing = ("EvaluationReport", "EvaluationFigures", "TimeReport")
    kept = [c for c in shared["callbacks"] if not c["class_path"].endswith(drawing)]
    trainer["callbacks"] = [*kept, *trainer.pop("callbacks+"), {"class_path": "callbacks.AdaptiveOpponentCallback"}]
    trainer["logger"] = [logger for logger in shared["logger"] if "CSV" in logger["class_path"]]
    trainer |= {"accelerator": "cpu", "max_epochs": ITERATIONS, "check_val_every_n_epoch": 4, "log_every_n_steps": 1}
    trainer["enable_progress_bar"] = False
    for callback in trainer["callbacks"]:
        if "last_iteration" in callback.get("init_args", {}):
            callback["init_args"]["last_iteration"] = ITERATIONS
    found["model"]["network"]["init_args"] |= {"width": 32, "blocks": 1}
    found["model"]["lr_scheduler"]["init_args"]["T_max"] = ITERATIONS
    data["opponent_pool"] = {
        "class_path": "lit_trainer.AdaptiveOpponentPool",
        "init_args": {
            "opponents": ["random", "tactical"],
            "self_play_share": 0.4,
            "past_share": 0.3,
            "max_past": 2,
            "snapshot_every": 5,
        },
    }
    data["generation"] |= {"games": 32, "simulations": 4}
    data["evaluation"] |= {"games": 8}
    data |= {"steps_per_iteration": 3, "batch_size": 64, "replay": {"positions": 3000}}
    return found


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert end(pid) == -signal.SIGKILL


def checkpoints_written(folder: Path, count: int) -> Callable[[], bool]:
    """Returns a check whether that many more checkpoints have been written since now."""
    seen = {path.stat().st_mtime_ns if (path := newest(folder)) else 0}

    def enough() -> bool:
        path = newest(folder)
        if path is not None:
            seen.add(path.stat().st_mtime_ns)
        return len(seen) > count

    return enough


def stopped_writing(folder: Path, pid: int) -> bool:
    """Stops the process while it writes a checkpoint. Lets it go on if the writing has just ended."""
    pattern = f"runs/connect_four/version_*/checkpoints/.last.ckpt.{pid}.partial"
    if not any(folder.glob(pattern)):
        return False
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    if any(folder.glob(pattern)):
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def flags(threads: int, checkpoint: Path | None) -> list[str]:
    return [
        "fit",
        "--config=../run.yaml",
        f"--data.generation.threads={threads}",
        f"--ckpt_path={checkpoint or 'null'}",
    ]


def finish(folder: Path, pid: int) -> None:
    """Waits for a life that ends by itself."""
    if end(pid) != 0:
        raise SystemExit((folder / "output").read_text())


def straight_run(folder: Path) -> tuple[float, float]:
    """Runs without an interruption, and returns the seconds until its first checkpoint and per iteration."""
    started = time.monotonic()
    pid = born(folder, *flags(1, None))
    wait_for(pid, folder, lambda: newest(folder))
    first = time.monotonic()
    finish(folder, pid)
    return first - started, (time.monotonic() - first) / ITERATIONS


def killed_run(folder: Path, draw: random.Random, start_seconds: float, iteration_seconds: float) -> dict[int, str]:
    """Runs and kills again and again, and returns each killed process and when it was killed."""
    dealt = {}
    kills = KILLS[1:]
    draw.shuffle(kills)
    for life, way in enumerate([*kills, "start"]):
        pid = born(folder, *flags(1 + life % 2, newest(folder)))
        if way == "start":
            time.sleep(draw.uniform(0.0, start_seconds))
        elif way == "between":
            wait_for(pid, folder, checkpoints_written(folder, draw.randint(1, 2)))
            time.sleep(draw.uniform(0.0, iteration_seconds))
        else:
            wait_for(pid, folder, partial(stopped_writing, folder, pid), pause=0.0005)
        kill(pid)
        dealt[pid] = way
    finish(folder, born(folder, *flags(2, newest(folder))))
    return dealt


if __name__ == "__main__":
    root, seed = Path(sys.argv[1]), int(sys.argv[2])
    (root / "run.yaml").write_text(yaml.safe_dump(configuration()))
    seconds = straight_run(root / "straight")
    print(json.dumps({"dealt": killed_run(root / "killed", random.Random(seed), *seconds), "seconds": seconds}))
