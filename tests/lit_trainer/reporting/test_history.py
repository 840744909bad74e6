"""The history of evaluations: one for all callbacks of a trainer, once in a checkpoint, whole after a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.demos.boring_classes import BoringModel
from support.cli_tools import ROOT
from support.trainers import quiet_trainer

from lit_trainer import EvaluationFigures, EvaluationReport
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.history import EvaluationHistory


def result(score: float) -> MatchResult:
    return MatchResult(1, 0, 1, score, 0.0, 1.0)


class Evaluated(BoringModel):
    """Somebody else's module, whose score is better after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.evaluation: dict[str, MatchResult] = {}
        self.iterations_done = 0

    def on_validation_epoch_end(self) -> None:
        self.evaluation = {"easy": result((self.current_epoch + 1) / 8)}


def fit(folder: Path, callbacks: list[Callback], epochs: int, checkpoint: Path | None = None) -> Trainer:
    trainer = quiet_trainer(
        max_epochs=epochs,
        limit_train_batches=1,
        limit_val_batches=1,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        default_root_dir=folder,
    )
    trainer.fit(Evaluated(), ckpt_path=checkpoint)
    return trainer


def saved(path: Path) -> dict[str, Any]:
    states: dict[str, Any] = torch.load(path, weights_only=True)["callbacks"]
    return states


SCORES = {"easy": {1: 1 / 8, 2: 2 / 8}}


@pytest.mark.parametrize("order", [(EvaluationReport, EvaluationFigures), (EvaluationFigures, EvaluationReport)])
def test_a_checkpoint_holds_the_history_once_whichever_callback_comes_first(
    order: tuple[type, type], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if a checkpoint has two copies, a callback has none, or changes are from an evaluation to itself."""
    callbacks = [kind() for kind in order]
    fit(tmp_path, callbacks, 2).save_checkpoint(tmp_path / "two.ckpt")
    assert [callback.history for callback in callbacks] == [SCORES, SCORES]
    states = saved(tmp_path / "two.ckpt")
    assert [key for key in states if "history" in states[key]] == [order[0].__name__]
    assert states[order[0].__name__]["history"] == SCORES
    assert "+12.5" in capsys.readouterr().out
    resumed = [kind() for kind in order]
    fit(tmp_path, resumed, 3, tmp_path / "two.ckpt")
    assert [callback.history for callback in resumed] == [{"easy": SCORES["easy"] | {3: 3 / 8}}] * 2


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning")
@pytest.mark.parametrize("kind", [EvaluationReport, EvaluationFigures])
def test_each_callback_works_alone_and_goes_on_with_what_the_other_kept(kind: type, tmp_path: Path) -> None:
    """A history that is lost with the callback that kept it."""
    alone = kind()
    fit(tmp_path, [alone], 2).save_checkpoint(tmp_path / "alone.ckpt")
    assert alone.history == SCORES and saved(tmp_path / "alone.ckpt")[kind.__name__]["history"] == SCORES
    (other,) = {EvaluationReport, EvaluationFigures} - {kind}
    heir = other()
    fit(tmp_path, [heir], 3, tmp_path / "alone.ckpt")
    assert heir.history == {"easy": SCORES["easy"] | {3: 3 / 8}}


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """Fails if an older checkpoint, where both callbacks have a copy, cannot be resumed."""
    callbacks: list[Callback] = [EvaluationReport(), EvaluationFigures()]
    fit(tmp_path, callbacks, 2).save_checkpoint(tmp_path / "new.ckpt")
    checkpoint = torch.load(tmp_path / "new.ckpt", weights_only=True)
    checkpoint["callbacks"]["EvaluationFigures"]["history"] = SCORES
    torch.save(checkpoint, tmp_path / "old.ckpt")
    resumed = [EvaluationReport(), EvaluationFigures()]
    fit(tmp_path, list(resumed), 3, tmp_path / "old.ckpt").save_checkpoint(tmp_path / "new.ckpt")
    assert [callback.history["easy"] for callback in resumed] == [SCORES["easy"] | {3: 3 / 8}] * 2
    assert "history" not in saved(tmp_path / "new.ckpt")["EvaluationFigures"]


@pytest.mark.parametrize("order", [(EvaluationReport, EvaluationFigures), (EvaluationFigures, EvaluationReport)])
def test_another_run_begins_its_own_history(order: tuple[type, type], tmp_path: Path) -> None:
    """One run's scores in the curve of the next, or a longer run that loses its beginning."""
    callbacks = [kind() for kind in order]
    trainer = fit(tmp_path, callbacks, 2)
    fit(tmp_path, callbacks[1:], 1)
    assert [callback.history for callback in callbacks] == [SCORES, {"easy": {1: 1 / 8}}]
    trainer.fit_loop.max_epochs = 3
    trainer.fit(Evaluated())
    assert [callback.history for callback in callbacks] == [{"easy": SCORES["easy"] | {3: 3 / 8}}] * 2
    fit(tmp_path, callbacks, 1)
    assert [callback.history for callback in callbacks] == [{"easy": {1: 1 / 8}}] * 2


def test_what_a_module_scored_before_its_run_is_kept(tmp_path: Path) -> None:
    """A curve that does not show where the run began, or that begins with another module."""
    report = EvaluationReport()
    trainer, other = fit(tmp_path, [report], 1), Evaluated()
    trainer.validate(Evaluated(), verbose=False)
    fit(tmp_path, [report], 1)
    assert report.history == {"easy": {1: 1 / 8}}
    trainer = Trainer(
        max_epochs=1, limit_train_batches=1, limit_val_batches=1, accelerator="cpu", default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False, logger=False, callbacks=[report],
        enable_checkpointing=False, num_sanity_val_steps=0,
    )  # fmt: skip
    other.iterations_done = 5
    trainer.validate(other, verbose=False)
    assert report.history == {"easy": {1: 1 / 8, 5: 1 / 8}}
    trainer.fit(other)
    assert report.history == {"easy": {0: 1 / 8, 1: 1 / 8}}, "where this run began, whatever was learned before"
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    bare = torch.load(tmp_path / "one.ckpt", weights_only=True) | {"callbacks": {}}
    torch.save(bare, tmp_path / "bare.ckpt")
    trainer.fit_loop.max_epochs = 2
    trainer.fit(other, ckpt_path=tmp_path / "bare.ckpt")
    assert report.history == {"easy": {2: 2 / 8}}, "the checkpoint has none"


@pytest.mark.parametrize("name", ["tests/data/legacy_run/last.ckpt", "checkpoints/iter600.ckpt"])
def test_the_histories_of_kept_checkpoints_are_read(name: str) -> None:
    checkpoint = torch.load(ROOT / name, weights_only=True)
    report, figures = EvaluationReport(), EvaluationFigures()
    trainer = Trainer(accelerator="cpu", logger=False, callbacks=[report, figures], enable_checkpointing=False)
    for callback in (report, figures):
        callback.setup(trainer, BoringModel(), "fit")
    for callback in (report, figures):
        callback.on_load_checkpoint(trainer, BoringModel(), checkpoint)
    kept = [state["history"] for state in checkpoint["callbacks"].values() if state.get("history")]
    assert kept and report.history == figures.history == kept[0]


def test_an_evaluation_is_recorded_once() -> None:
    """Fails if the change is not from the evaluation before, also where that was at the same iteration."""
    history = EvaluationHistory()
    for score in (0.25, 0.5):
        history.begin()
        history.begin()
        history.record(3, {"easy": result(score)})
        history.record(3, {"easy": result(0.9)})
    assert history.scores == {"easy": {3: 0.5}} and history.before == {"easy": 0.25}
