"""A SLURM job that is told to end: which job it is, which checkpoint it notes, and when it goes back into the queue."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.utilities.exceptions import SIGTERMException
from support.signalled_lives import slurm
from support.trainers import quiet_trainer

from lit_trainer.cli.slurm import SlurmRequeue, slurm_job

JOB = {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "4711"}
ARRAY = {"SLURM_ARRAY_JOB_ID": "4700", "SLURM_ARRAY_TASK_ID": "3"}


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({}, None),
        (JOB, "4711"),
        (JOB | ARRAY, "4700_3"),
        (JOB | {"SLURM_JOB_NAME": "bash"}, None),
        (JOB | {"SLURM_JOB_ID": ""}, None),
        (JOB | {"SLURM_JOB_ID": "1; rm -r x"}, None),
    ],
    ids=["no SLURM", "a job", "one of an array", "a shell", "no number", "no number but a command"],
)
def test_the_job_is_named_by_its_environment(
    variables: dict[str, str], job: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs of one array that share a note, or a shell in which a person works that is put back into the queue."""
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert slurm_job() == job


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Returns the current folder, with a `scontrol` on the path that logs its arguments."""
    monkeypatch.setenv("PATH", slurm(tmp_path)["PATH"])
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGUSR1)
    yield tmp_path
    signal.signal(signal.SIGUSR1, before)


class At(Callback):
    """Does something at the start of an epoch's first batch."""

    def __init__(self, epoch: int, work: Any) -> None:
        self.epoch, self.work = epoch, work

    def on_train_batch_start(self, trainer: Trainer, *given: Any) -> None:
        if trainer.current_epoch == self.epoch and given[-1] == 0:
            self.work()


def run(root: Path, *callbacks: Callback, checkpoints: bool = True) -> None:
    saver = ModelCheckpoint(root / "checkpoints", "last", enable_version_counter=False, save_on_train_epoch_end=True)
    trainer = quiet_trainer(
        max_epochs=3,
        limit_train_batches=2,
        limit_val_batches=0,
        enable_checkpointing=checkpoints,
        callbacks=[*callbacks, *([saver] if checkpoints else [])],
    )
    trainer.fit(BoringModel())


def told(root: Path) -> str:
    log = root / "scontrol.log"
    return log.read_text() if log.is_file() else ""


def test_the_newest_checkpoint_is_noted_until_the_job_is_done(root: Path) -> None:
    """A job that is done and begins at its last checkpoint when another one gets its number."""
    seen: list[str | None] = []
    requeue = SlurmRequeue("4711", root)
    before = signal.getsignal(signal.SIGUSR1)
    run(root, requeue, *(At(epoch, lambda: seen.append(requeue.checkpoint())) for epoch in (0, 1, 2)))
    assert signal.getsignal(signal.SIGUSR1) is before
    assert seen == [None, *[str(root / "checkpoints" / "last.ckpt")] * 2]
    assert not requeue.note.exists() and told(root) == ""


def test_sigusr1_ends_the_run_and_puts_the_job_back(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requeue = SlurmRequeue("4700_3", root)
    with pytest.raises(SIGTERMException):
        run(root, requeue, At(1, lambda: os.kill(os.getpid(), signal.SIGUSR1)))
    assert told(root) == "requeue 4700_3\n"
    assert SlurmRequeue("4700_3", root).checkpoint() == str(root / "checkpoints" / "last.ckpt")
    assert SlurmRequeue("4700_4", root).checkpoint() is None, "another job of the array"
    (root / "checkpoints" / "last.ckpt").unlink()
    assert requeue.checkpoint() is None, "a file that is gone"


@pytest.mark.parametrize("number", ["SIGTERM", None])
def test_any_other_end_leaves_the_queue_alone(number: str | None, root: Path) -> None:
    """A job that a person cancels, or that fails, and that would come back for ever."""

    def end() -> None:
        if number is None:
            raise ZeroDivisionError
        os.kill(os.getpid(), getattr(signal, number))

    with pytest.raises((SIGTERMException, ZeroDivisionError)):
        run(root, SlurmRequeue("4711", root), At(1, end))
    assert told(root) == ""


def test_another_run_of_the_process_is_not_put_back_for_the_first_one(root: Path) -> None:
    """A signal that ended an earlier run, and that then sends every job that fails back into the queue."""
    requeue = SlurmRequeue("4711", root)
    with pytest.raises(SIGTERMException):
        run(root, requeue, At(1, lambda: os.kill(os.getpid(), signal.SIGUSR1)))
    with pytest.raises(ZeroDivisionError):
        run(root, requeue, At(1, lambda: 1 // 0), checkpoints=False)
    assert told(root) == "requeue 4711\n"


def test_an_earlier_note_is_kept_until_there_is_a_newer_checkpoint(root: Path) -> None:
    """A job that is restarted twice before an iteration ends, and then begins anew."""
    earlier = root / "earlier.ckpt"
    earlier.touch()
    requeue = SlurmRequeue("4711", root)
    requeue.note.write_text(f"{earlier}\n")
    with pytest.raises(SIGTERMException):
        run(root, requeue, At(0, lambda: os.kill(os.getpid(), signal.SIGUSR1)))
    assert requeue.checkpoint() == str(earlier) and told(root) == "requeue 4711\n"


def test_a_queue_that_does_not_answer_is_told(root: Path) -> None:
    (root / "tools" / "scontrol").write_text("#!/bin/sh\nexit 1\n")
    with pytest.warns(UserWarning, match="job 4711 could not be put back into the queue"), pytest.raises(SystemExit):
        run(root, SlurmRequeue("4711", root), At(0, lambda: os.kill(os.getpid(), signal.SIGUSR1)), checkpoints=False)


def test_only_a_run_that_learns_listens(root: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    requeue = SlurmRequeue("4711", root)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    requeue.setup(trainer, BoringModel(), "validate")
    assert signal.getsignal(signal.SIGUSR1) is before
