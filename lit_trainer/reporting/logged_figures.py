"""Logs figures of every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger, MLFlowLogger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lit_trainer.measuring.calibration import Calibration, calibration
from lit_trainer.reporting.heat_maps import win_rate_map
from lit_trainer.reporting.history import EvaluationCallback, ends_no_run, is_new_run
from lit_trainer.reporting.plots import calibration_plot, score_intervals, weights_over_iterations
from lit_trainer.reporting.sources import results_of, run_data


def log_figure(logger: Logger, name: str, figure: Figure, step: int) -> bool:
    """Gives a figure to a logger that can take one, and returns whether it could.

    TensorBoard's takes it as a figure, that of W&B (and any other with its `log_image`) as pixels, MLflow's as an
    artifact ``NAME/STEP.png``. Others, such as the CSV logger, take none.

    Args:
        logger: The logger.
        name: Name of the figure.
        figure: The figure.
        step: Optimizer steps done.
    """
    if isinstance(logger, MLFlowLogger):
        logger.experiment.log_figure(logger.run_id, figure, f"{name}/{step:08d}.png")
    elif callable(log_image := getattr(logger, "log_image", None)):
        log_image(name, [_pixels(figure)], step=step)
    elif callable(add_figure := getattr(getattr(logger, "experiment", None), "add_figure", None)):
        add_figure(name, figure, global_step=step)
    else:
        return False
    return True


def _pixels(figure: Figure) -> np.ndarray:
    """Returns the figure as uint8 [height, width, 4]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


class EvaluationFigures(EvaluationCallback):
    """Draws figures after every evaluation, into each of the run's loggers that takes any, such as TensorBoard's.

    The figures are `evaluation/win_rates` (a heat map, opponent by iteration), `evaluation/scores` (the newest, with
    intervals), `opponents/weights` (where the data module's `opponent_pool` has `weights`) and `value/calibration`
    (where its `window` holds positions and the module's forward gives logits and value). The calibration is also logged
    as the number ``val/value_calibration_error``. What the figures show goes on across a resume. A figure that cannot
    be drawn or logged is left out with a warning, and ends no run.

    Args:
        calibration_positions: Positions drawn from the replay window for the calibration. 0 draws none.
        calibration_bins: Bins of the predicted value.

    Raises:
        ValueError: Names the argument that is out of range.
    """

    def __init__(self, calibration_positions: int = 4096, calibration_bins: int = 10) -> None:
        super().__init__()
        for name, value, lowest in (
            ("calibration_positions", calibration_positions, 0),
            ("calibration_bins", calibration_bins, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
                raise ValueError(f"{name}: {value!r} given, expected a whole number of at least {lowest}")
        self.calibration_positions = calibration_positions
        self.calibration_bins = calibration_bins
        self.weights: dict[str, dict[int, float]] = {}
        """Opponent to iteration to weight in the pool."""
        self._due = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begins the history and the weights of a new run."""
        super().setup(trainer, pl_module, stage)
        self._due = False
        if is_new_run(trainer, stage):
            self.weights = {}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Restores the history. The weights follow, if the checkpoint holds any."""
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
        self.weights = {}

    def state_dict(self) -> dict[str, Any]:
        """Returns the weights and, if this callback keeps it, the history."""
        return super().state_dict() | {"weights": {name: dict(weights) for name, weights in self.weights.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the weights and the history."""
        super().load_state_dict(state_dict)
        self.weights = {name: dict(weights) for name, weights in state_dict["weights"].items()}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the weights that the run begins with."""
        self._record_weights(trainer, trainer.current_epoch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Records the results, and draws outside a run."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        self.record(trainer, pl_module)
        # in a run when the epoch ends, because a callback after this one may weigh the opponents anew
        self._due = trainer.state.fn == "fit"
        if not self._due:
            self._draw(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws what is due, now that all callbacks have had their turn after the evaluation."""
        if self._due:
            self._due = False
            self._record_weights(trainer, self.iteration(trainer, pl_module))
            self._draw(trainer, pl_module)

    def _record_weights(self, trainer: Trainer, iteration: int) -> None:
        for name, weight in run_data(trainer).opponent_weights.items():
            self.weights.setdefault(name, {})[iteration] = weight

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        iteration, figures = self.iteration(trainer, pl_module), dict[str, Callable[[], Figure]]()
        if self.history:
            figures["evaluation/win_rates"] = lambda: win_rate_map(self.history)
        if results := results_of(pl_module).evaluation:
            figures["evaluation/scores"] = lambda: score_intervals(results, iteration)
        if self.weights:
            figures["opponents/weights"] = lambda: weights_over_iterations(self.weights)
        with ends_no_run("value/calibration"):
            if bins := self._calibration(trainer, pl_module, iteration):
                figures["value/calibration"] = lambda: calibration_plot(bins, iteration)
                error = {"val/value_calibration_error": bins.error, "epoch": trainer.current_epoch}
                for logger in trainer.loggers:
                    logger.log_metrics(error, step=trainer.global_step)
        for name, draw in figures.items():
            with ends_no_run(name):
                figure = draw()
                for logger in trainer.loggers:
                    with ends_no_run(f"{name} of {type(logger).__name__}"):
                        log_figure(logger, name, figure, trainer.global_step)

    def _calibration(self, trainer: Trainer, pl_module: LightningModule, iteration: int) -> Calibration | None:
        window = run_data(trainer).window
        if not self.calibration_positions or not window:
            return None
        # a separate generator, so that looking at a run changes nothing of what it draws
        batch = window.sample(self.calibration_positions, np.random.default_rng(iteration))
        with _evaluating(trainer, pl_module):
            inputs = [batch[name].to(pl_module.device) for name in ("observations", "condition") if name in batch]
            _, values = pl_module(*map(trainer.precision_plugin.convert_input, inputs))
        predicted = values.float().cpu().numpy()
        if not np.isfinite(predicted).all():
            return None  # the network diverged: the losses say so, and a figure must not end the run
        return calibration(predicted, batch["outcome"].numpy(), self.calibration_bins)


@contextmanager
def _evaluating(trainer: Trainer, module: LightningModule) -> Iterator[None]:
    """Puts a module into evaluation mode and the trainer's precision, and leaves each part as it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            yield
    finally:
        for part in training:
            part.training = True
