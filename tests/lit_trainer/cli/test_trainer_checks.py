"""Settings that Lightning refuses late are refused before the run's folder is made and before anything is played."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from lightning.pytorch.accelerators.cpu import _PSUTIL_AVAILABLE
from support.cli_tools import BuiltOnce, config

from lit_trainer.cli.trainer_checks import late_fault

ALONE = "--trainer.callbacks="


def fault(command: str, *flags: str) -> str | None:
    """Returns the error about quickstart.yaml, with 40 batches per iteration, and these flags."""
    made = BuiltOnce([*config("quickstart.yaml"), "--trainer.accelerator=cpu", *flags], run=False)
    return late_fault(command, made.trainer, made.datamodule)


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


pytestmark = pytest.mark.filterwarnings("ignore:GPU available")


@pytest.mark.parametrize(
    ("command", "flags", "said"),
    [
        ("fit", ["--trainer.logger=false"], "trainer.callbacks: LearningRateMonitor needs a logger"),
        ("fit", [f"{ALONE}DeviceStatsMonitor", "--trainer.logger=false"], "DeviceStatsMonitor needs a logger"),
        ("fit", [f"{ALONE}LearningRateFinder"], "trainer.callbacks: LearningRateFinder given, expected none"),
        ("fit", [f"{ALONE}BatchSizeFinder"], "trainer.callbacks: BatchSizeFinder given, expected none"),
        ("fit", ["--trainer.val_check_interval=50"], "val_check_interval: 50 given, expected at most 40"),
        ("fit", ["--trainer.val_check_interval=9", "--trainer.limit_train_batches=8"], "expected at most 8"),
        ("fit", ["--trainer.limit_train_batches=0.01"], "limit_train_batches: 0.01 given, expected at least 0.025"),
        ("fit", ["--trainer.limit_val_batches=0.5"], "limit_val_batches: 0.5 given, expected 1.0 or 0.0"),
        ("validate", ["--trainer.limit_val_batches=0.5"], "limit_val_batches: 0.5 given"),
        ("test", ["--trainer.limit_test_batches=0.5"], "limit_test_batches: 0.5 given"),
    ],
)
def test_it_is_refused_in_one_line(command: str, flags: list[str], said: str) -> None:
    found = fault(command, *flags)
    assert found is not None and said in found and "\n" not in found


def test_what_the_refusal_of_a_callback_says_to_type_is_taken() -> None:
    """Fails if a command of the message is none of Lightning's, or is refused in turn."""
    said = fault("fit", "--trainer.logger=false")
    assert said is not None
    logger, callbacks = said.split(" such as ")[1:]
    assert fault("fit", *shlex.split(logger.partition(", or")[0])) is None
    assert fault("fit", "--trainer.logger=false", *shlex.split(callbacks)) is None


@pytest.mark.skipif(bool(_PSUTIL_AVAILABLE), reason="psutil is installed")
def test_a_missing_package_is_named() -> None:
    assert fault("fit", f"{ALONE}DeviceStatsMonitor") == (
        "trainer.callbacks: DeviceStatsMonitor needs psutil: pip install psutil"
    )
    assert fault("fit", f"{ALONE}DeviceStatsMonitor", "--trainer.callbacks.cpu_stats=false") is None


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("fit", []),
        ("validate", ["--trainer.logger=false"]),
        ("test", ["--trainer.limit_val_batches=0.5", "--trainer.val_check_interval=50"]),
        ("fit", ["--trainer.val_check_interval=50", "--trainer.check_val_every_n_epoch=null"]),
        ("fit", ["--trainer.val_check_interval=50", "--trainer.limit_val_batches=0"]),
        ("fit", ["--trainer.val_check_interval=0.5", "--trainer.limit_train_batches=0.5"]),
    ],
)
def test_what_lightning_takes_is_taken(command: str, flags: list[str]) -> None:
    assert fault(command, *flags) is None
