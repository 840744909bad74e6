"""SLURM: a job that is told to end is put back into the queue, and goes on from its newest checkpoint.

Lightning's own handler would save in the middle of an iteration (whose games a resumed run plays once more, on top of
those in the window), into a file that every job started in the same folder shares, and that `ckpt_path` goes before.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from lit_trainer.checkpoints.newest import newest_first
from lit_trainer.utils.files import write_text


def slurm_job() -> str | None:
    """The id of the SLURM job that this process was started by (of an array's task: ``JOB_TASK``), None outside one.

    A job keeps its id when it is put back into the queue.
    """
    if os.name != "posix" or not SLURMEnvironment.detect():
        return None
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = os.environ.get("SLURM_JOB_ID", "") if array is None else f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return job if re.fullmatch("[0-9_]+", job) else None


class SlurmRequeue(Callback):
    """On SIGUSR1: ends the run as SIGTERM would, and has SLURM start the job again.

    Args:
        job: the job's id.
        folder: where ``.slurm-JOB.resume`` is kept, which names the job's newest checkpoint while it is not done.
    """

    def __init__(self, job: str, folder: str | os.PathLike[str]) -> None:
        self.job = job
        self.note = Path(folder) / f".slurm-{job}.resume"
        self._asked = False
        self._before: Any = None

    def checkpoint(self) -> str | None:
        """The checkpoint that an earlier life of this job left, None where there is none."""
        path = self.note.read_text().strip() if self.note.is_file() else ""
        return path if path and Path(path).is_file() else None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # before Lightning sets its own, which it leaves out where there is one
        if stage == "fit" and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGUSR1, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        os.kill(os.getpid(), signal.SIGTERM)  # the run ends at the next batch, or among the games

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._remember(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            self.note.unlink(missing_ok=True)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self._asked and trainer.is_global_zero:
            self._remember(trainer)
            self._requeue()
        self._restore_handler()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore_handler()

    def _restore_handler(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGUSR1, self._before)
            self._before = None

    def _remember(self, trainer: Trainer) -> None:
        """Note the newest checkpoint of this life; a resumed one that has none yet leaves the note as it is."""
        saved = [c.best_model_path for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
        paths = newest_first(Path(path).absolute() for path in saved if path)
        if paths and trainer.is_global_zero:
            write_text(self.note, f"{paths[0]}\n")

    def _requeue(self) -> None:
        try:
            subprocess.run(["scontrol", "requeue", self.job], timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            rank_zero_warn(f"SLURM: job {self.job} could not be put back into the queue ({error})")
        else:
            goes_on = (
                f"from {self.checkpoint()}" if self.checkpoint() else "as it was started: it has no checkpoint yet"
            )
            rank_zero_info(f"SLURM: job {self.job} is back in the queue and goes on {goes_on}")
