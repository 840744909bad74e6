"""Puts a SLURM job that is told to end back into the queue. It resumes from its newest checkpoint.

Lightning's own handler is not used, because it saves in the middle of an iteration. A resumed run would play that
iteration's games again, on top of those in the window. All jobs that start in one folder also share its file.
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
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from lit_trainer.cli.run_folders import newest_saved
from lit_trainer.utils.files import write_text


def slurm_job() -> str | None:
    """Returns the id of the SLURM job that started this process: ``JOB_TASK`` in an array, None outside SLURM.

    A job keeps its id when it is put back into the queue.
    """
    if os.name != "posix" or not SLURMEnvironment.detect():
        return None
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = os.environ.get("SLURM_JOB_ID", "") if array is None else f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return job if re.fullmatch("[0-9_]+", job) else None


class SlurmRequeue(Callback):
    """Ends the run on SIGUSR1, as SIGTERM would, and has SLURM start the job again.

    Args:
        job: Id of the job.
        folder: Folder of ``.slurm-JOB.resume``, which names the job's newest checkpoint until the job is done.
    """

    def __init__(self, job: str, folder: str | os.PathLike[str]) -> None:
        self.job = job
        self.note = Path(folder) / f".slurm-{job}.resume"
        self._asked = False
        self._before: Any = None

    def checkpoint(self) -> str | None:
        """Returns the checkpoint that this job left before it was restarted, or None."""
        path = self.note.read_text(encoding="utf-8").strip() if self.note.is_file() else ""
        return path if path and Path(path).is_file() else None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Sets the handler of SIGUSR1 in a run that learns."""
        self._asked = False
        # Set before Lightning sets its own handler, which it skips if there is one.
        if stage == "fit" and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGUSR1, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        os.kill(os.getpid(), signal.SIGTERM)  # the run ends at the next batch or within self-play

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the newest checkpoint."""
        self._remember(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Removes the note, because the job is done."""
        if trainer.is_global_zero:
            self.note.unlink(missing_ok=True)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Asks SLURM to start the job again if SIGUSR1 ended the run."""
        if self._asked and trainer.is_global_zero:
            self._remember(trainer)
            self._requeue()
        self._restore_handler()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restores the handler of SIGUSR1."""
        self._restore_handler()

    def _restore_handler(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGUSR1, self._before)
            self._before = None

    def _remember(self, trainer: Trainer) -> None:
        """Notes the newest checkpoint since the start. Keeps an earlier note until there is one."""
        if (path := newest_saved(trainer)) and trainer.is_global_zero:
            write_text(self.note, f"{path.absolute()}\n")

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
