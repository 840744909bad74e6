"""Checkpoints that a subcommand begins with, and runs that would have nothing left to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer
from support.cli_tools import TINY, config, run

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.cli.checkpoint_checks import check_limits

pytestmark = pytest.mark.filterwarnings("ignore:GPU available")


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def limits(**options: Any) -> None:
    """Checks a run with these limits, resumed at iteration 6, step 12, after 100 seconds."""
    contents = {
        "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 6}}}},
        "global_step": 12,
        "callbacks": {"Timer": {"time_elapsed": {"train": 100.0, "sanity_check": 0.0}}},
    }
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    check_limits(Trainer(accelerator="cpu", **off, **options), Checkpoint(contents, "'a.ckpt'"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_epochs": 6}, "trainer.max_epochs: 6 given, but 'a.ckpt' is of iteration 6; expected more"),
        ({"max_epochs": 9, "max_steps": 12}, "trainer.max_steps: 12 given, but 'a.ckpt' is of step 12; expected more"),
        ({"max_epochs": -1, "max_steps": 3}, "trainer.max_steps: 3 given, but 'a.ckpt' is of step 12; expected more"),
        ({"max_epochs": 9, "max_time": {"seconds": 100}}, "trainer.max_time: 100 s given, but 'a.ckpt' is of a run"),
        ({"fast_dev_run": True}, "trainer.fast_dev_run: True given with a checkpoint"),
    ],
)
def test_a_resume_that_would_train_nothing_is_refused(options: dict[str, Any], said: str) -> None:
    """A run that ends at once, with exit status 0."""
    with pytest.raises(ValueError) as refused:
        limits(**options)
    assert str(refused.value).startswith(said)


def test_a_resume_with_something_left_is_taken() -> None:
    limits(max_epochs=7)
    limits(max_epochs=-1, max_steps=13)
    limits(max_epochs=7, max_time={"seconds": 101})
    limits(max_epochs=7, callbacks=[Timer(None)])


@pytest.mark.parametrize("command", ["validate", "test"])
def test_random_weights_are_measured_only_if_meant(
    command: str, iter600: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A table of an untrained network, taken for the result of the run that was meant."""
    games = ["--data.test.opponents=[random]", "--data.evaluation.opponents=[random]", "--data.test.simulations=[0]"]
    flags = [command, *config("iter0_to_600.yaml"), *TINY, *games]
    with pytest.raises(SystemExit) as stopped:
        run(*flags)
    message = capsys.readouterr().err
    assert stopped.value.code == 2 and "Traceback" not in message
    assert f"error: ckpt_path: missing, so that {command} would measure a network with random weights" in message
    assert list(tmp_path.iterdir()) == []
    run(*flags, "--untrained=true")
    run(*flags, f"--model.initial_weights={iter600}")


def test_an_empty_path_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run("fit", *config("quickstart.yaml"), *TINY, "--ckpt_path=")
    assert "error: ckpt_path: '' given, expected a checkpoint, or null for none" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
