"""The figures of a run: when they are drawn, which loggers take them, and what goes on across a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.evaluation_report import EvaluationReport
from lit_trainer.reporting.logged_figures import EvaluationFigures, log_figure


class Recorder(Logger):
    """A logger with W&B's method."""

    name, version = "recorder", 0

    def __init__(self) -> None:
        super().__init__()
        self.images: list[tuple[str, Any, int]] = []

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        self.images += [(key, image, step or 0) for image in images]

    def log_metrics(self, metrics: Any, step: int | None = None) -> None: ...

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None: ...


def test_each_logger_gets_what_it_can_take(tmp_path: Path) -> None:
    figure, recorder = Figure(figsize=(2, 1), dpi=100), Recorder()
    assert log_figure(recorder, "picture", figure, 7)
    ((name, pixels, step),) = recorder.images
    assert (name, step, pixels.shape, pixels.dtype) == ("picture", 7, (100, 200, 4), np.uint8)
    assert not log_figure(CSVLogger(tmp_path), "picture", figure, 7)
    board = TensorBoardLogger(tmp_path)
    assert log_figure(board, "picture", figure, 7)
    board.finalize("success")
    events = EventAccumulator(board.log_dir)
    events.Reload()
    assert [(image.step, image.width, image.height) for image in events.Images("picture")] == [(7, 200, 100)]


class Pool:
    def __init__(self) -> None:
        self.weights = {"easy": 0.5, "hard": 0.5}


class Reweighs(Callback):
    """Stands after the figures in the list, as a callback that a flag appends does."""

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        trainer.datamodule.opponent_pool.weights = {"easy": 0.25, "hard": 0.75}  # type: ignore[attr-defined]


FROZEN = pytest.mark.filterwarnings(r"ignore:Found 1 module\(s\) in eval mode at the start of training")


class Evaluated(BoringModel):
    """Somebody else's module with results, and one part that is kept in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = torch.nn.Dropout(0.5).eval()
        self.evaluation = {"easy": MatchResult(3, 0, 1, 0.75, 0.3, 0.95)}


@pytest.fixture
def data() -> LightningDataModule:
    data = BoringDataModule()
    data.opponent_pool = Pool()  # type: ignore[attr-defined]
    return data


def fit(data: LightningDataModule, folder: Path, callbacks: list[Callback], epochs: int, checkpoint: Any = None) -> Any:
    trainer = Trainer(
        max_epochs=epochs, limit_train_batches=1, limit_val_batches=1, accelerator="cpu", default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, logger=Recorder(), callbacks=callbacks,
        enable_checkpointing=False, num_sanity_val_steps=0, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(Evaluated(), data, ckpt_path=checkpoint)
    return trainer


@FROZEN
def test_weights_shown_are_those_that_the_evaluation_led_to_whatever_the_order(
    data: LightningDataModule, tmp_path: Path
) -> None:
    figures = EvaluationFigures()
    trainer = fit(data, tmp_path, [figures, Reweighs()], 1)
    assert figures.weights == {"easy": {0: 0.5, 1: 0.25}, "hard": {0: 0.5, 1: 0.75}}
    assert figures.history == {"easy": {1: 0.75}}
    names = [(name, step) for name, _, step in trainer.logger.images]
    assert names == [("evaluation/win_rates", 1), ("evaluation/scores", 1), ("opponents/weights", 1)]


@FROZEN
def test_history_goes_on_across_a_resume(data: LightningDataModule, tmp_path: Path) -> None:
    fit(data, tmp_path, [EvaluationFigures(), Reweighs()], 2).save_checkpoint(tmp_path / "two.ckpt")
    resumed = EvaluationFigures()
    fit(data, tmp_path, [resumed], 3, tmp_path / "two.ckpt")
    assert resumed.history == {"easy": {1: 0.75, 2: 0.75, 3: 0.75}}
    assert resumed.weights["easy"] == {0: 0.5, 1: 0.25, 2: 0.25, 3: 0.25}


class Replay:
    def __len__(self) -> int:
        return 8

    def sample(self, size: int, generator: np.random.Generator) -> dict[str, torch.Tensor]:
        outcome = torch.from_numpy(generator.choice([-1.0, 1.0], size))
        return {"observations": torch.zeros(size, 32), "outcome": outcome}


@FROZEN
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_the_module_is_left_as_it_was_and_a_diverged_one_ends_no_run(
    value: float, data: LightningDataModule, tmp_path: Path
) -> None:
    """A frozen part that trains from the first evaluation on, or an error in place of the losses' own message."""
    modes: list[tuple[bool, bool]] = []

    class Valued(Evaluated):
        def forward(self, x: torch.Tensor) -> Any:
            if x.shape[0] != 4096:
                return self.layer(x)
            modes.append((self.training, self.frozen.training))
            return None, torch.full((len(x),), value)

    data.window = Replay()  # type: ignore[attr-defined]
    module, recorder = Valued(), Recorder()
    trainer = Trainer(
        max_epochs=2, limit_train_batches=1, limit_val_batches=1, accelerator="cpu", default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False, logger=recorder, enable_checkpointing=False,
        callbacks=[EvaluationFigures()], log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(module, data)
    assert modes == [(False, False)] * 2
    assert module.training and module.layer.training and not module.frozen.training
    assert ("value/calibration" in [name for name, _, _ in recorder.images]) == (value == 0.0)


@FROZEN
def test_another_run_begins_with_its_own_weights(data: LightningDataModule, tmp_path: Path) -> None:
    figures = EvaluationFigures()
    fit(data, tmp_path, [figures, Reweighs()], 2)
    fit(data, tmp_path, [figures], 1)
    assert figures.weights == {"easy": {0: 0.25, 1: 0.25}, "hard": {0: 0.75, 1: 0.75}}


class Rated(Evaluated):
    """Computes values as the loss computes its outputs, in the precision of its weights."""

    def forward(self, x: torch.Tensor) -> Any:
        out = self.layer(x)
        return out if x.shape[0] != 4096 else (out, torch.tanh(out[:, 0]) + torch.zeros(1))


@FROZEN
@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "64-true", "bf16-mixed"])
def test_every_precision_of_the_trainer(precision: Any, data: LightningDataModule, tmp_path: Path) -> None:
    """A forward pass around the trainer's precision: inputs of another kind than the weights."""
    data.window = Replay()  # type: ignore[attr-defined]
    recorder = Recorder()
    trainer = Trainer(
        max_epochs=1, limit_train_batches=1, limit_val_batches=1, accelerator="cpu", default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False, logger=recorder, enable_checkpointing=False,
        callbacks=[EvaluationFigures()], log_every_n_steps=1, precision=precision,
    )  # fmt: skip
    trainer.fit(Rated(), data)
    assert "value/calibration" in [name for name, _, _ in recorder.images]


class Broken(Recorder):
    """A logger whose service is gone."""

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        raise ConnectionError("no service")


@FROZEN
def test_a_figure_ends_no_run(data: LightningDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forward pass, a plot, a logger or a disk that fails; the module stays as it was, other figures are logged."""

    class Failing(Evaluated):
        def forward(self, x: torch.Tensor) -> Any:
            if x.shape[0] == 4096:
                raise RuntimeError("no forward")
            return self.layer(x)

    def no_plot(*args: Any) -> Any:
        raise ValueError("no plot")

    monkeypatch.setattr("lit_trainer.reporting.logged_figures.score_intervals", no_plot)
    data.window = Replay()  # type: ignore[attr-defined]
    module, recorder = Failing(), Recorder()
    (tmp_path / "curve.png").mkdir()  # no file can be written there
    trainer = Trainer(
        max_epochs=2, limit_train_batches=1, limit_val_batches=1, accelerator="cpu", default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False, logger=[Broken(), recorder], log_every_n_steps=1,
        enable_checkpointing=False, callbacks=[EvaluationFigures(), EvaluationReport("curve.png")],
    )  # fmt: skip
    with pytest.warns(UserWarning, match="is left out") as warned:
        trainer.fit(module, data)
    said = " ".join(str(warning.message) for warning in warned)
    for what in (
        "value/calibration is left out: RuntimeError: no forward",
        "evaluation/scores is left out: ValueError: no plot",
        "evaluation/win_rates of Broken is left out: ConnectionError: no service",
        "curve.png is left out: IsADirectoryError",
    ):
        assert what in said
    assert trainer.current_epoch == 2
    assert module.training and module.layer.training and not module.frozen.training
    names = {name for name, _, _ in recorder.images}
    assert names == {"evaluation/win_rates", "opponents/weights"}


@pytest.mark.parametrize(("name", "value"), [("calibration_positions", -1), ("calibration_bins", 0)])
def test_wrong_arguments(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}: {value} given, expected a whole number of at least"):
        EvaluationFigures(**{name: value})
