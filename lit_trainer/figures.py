"""What an evaluation looks like in a run's logger: win rates, opponents' weights, the value head's calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger, MLFlowLogger
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_trainer.insight import calibration, calibration_gap
from lit_trainer.metrics import WinRateResult
from lit_trainer.reporting import EvaluationHistory

_MOST_TICKS = 12
_Bins = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


def _iterations(history: Mapping[str, Mapping[int, float]]) -> list[int]:
    return sorted({iteration for values in history.values() for iteration in values})


def _table(history: Mapping[str, Mapping[int, float]], missing: float) -> np.ndarray:
    """The values float64 [names, iterations]."""
    iterations = _iterations(history)
    return np.array([[values.get(k, missing) for k in iterations] for values in history.values()])


def win_rate_map(history: Mapping[str, Mapping[int, float]]) -> Figure:
    """Each opponent's score (rows) at each evaluation (columns), in per cent; grey where it was not played."""
    iterations, scores = _iterations(history), 100 * _table(history, np.nan)
    figure = Figure(figsize=(9, 1.5 + 0.35 * len(history)), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("lightgrey")
    image = axes.imshow(scores, cmap="RdBu", vmin=0, vmax=100, aspect="auto", interpolation="nearest")
    ticks = range(0, len(iterations), -(-len(iterations) // _MOST_TICKS))
    axes.set_xticks(list(ticks), [str(iterations[k]) for k in ticks])
    axes.set_yticks(range(len(history)), list(history))
    axes.set(xlabel="iteration", title="Score against each opponent, in % (wins and half the draws)")
    if len(iterations) <= _MOST_TICKS:
        for row, column in np.argwhere(~np.isnan(scores)):
            score = scores[row, column]
            colour = "black" if 25 < score < 75 else "white"
            axes.text(column, row, f"{score:.0f}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, ax=axes)
    return figure


def score_intervals(results: Mapping[str, WinRateResult], iteration: int) -> Figure:
    """Each opponent's score at one evaluation with its 95 % interval, in per cent."""
    figure = Figure(figsize=(9, 1.5 + 0.35 * len(results)), layout="constrained")
    axes = figure.subplots()
    scores, low, high = (100 * np.array(column) for column in zip(*(r[3:6] for r in results.values()), strict=True))
    rows = np.arange(len(results))
    axes.errorbar(scores, rows, xerr=np.clip([scores - low, high - scores], 0, None), fmt="o", capsize=3, clip_on=False)
    axes.axvline(50, color="grey", linewidth=0.8, linestyle=":")
    axes.set_yticks(rows, list(results))
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="score in %", title=f"Scores with 95 % intervals at iteration {iteration}")
    axes.grid(axis="x", alpha=0.25)
    return figure


def weights_over_iterations(history: Mapping[str, Mapping[int, float]]) -> Figure:
    """The opponents' weights, one upon the other, over the iterations."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    colours = [colormaps["tab20"](k % 20) for k in range(len(history))]
    axes.stackplot(_iterations(history), _table(history, 0.0), labels=list(history), colors=colours, alpha=0.8)
    axes.set(xlabel="iteration", ylabel="weight", ylim=(0, 1), title="Opponents' weights")
    axes.margins(x=0)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def calibration_plot(
    predicted: NDArray[np.float64], came: NDArray[np.float64], counts: NDArray[np.int64], iteration: int
) -> Figure:
    """Mean outcome against predicted value, and below how many positions each bin holds: see `calibration`."""
    figure = Figure(figsize=(5.5, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    some = counts > 0
    above.plot((-1, 1), (-1, 1), color="grey", linewidth=0.8, linestyle=":")
    above.plot(predicted[some], came[some], marker="o", clip_on=False)
    gap = calibration_gap(predicted, came, counts)
    title = f"Value head at iteration {iteration}: calibration error {gap:.3f}"
    above.set(xlim=(-1, 1), ylim=(-1, 1), ylabel="mean outcome", title=title)
    above.grid(alpha=0.25)
    below.bar(predicted[some], counts[some], width=0.04)
    below.set(xlabel="predicted value", ylabel="positions")
    return figure


def log_figure(logger: Logger, name: str, figure: Figure, step: int) -> bool:
    """Give a figure to a logger that can take one; return whether it could.

    TensorBoard's takes it as a figure, W&B's (and any other with its `log_image`) as pixels, MLflow's as an artifact
    ``NAME/STEP.png``. Others, such as the CSV logger, take none.
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
    """The figure as uint8 [height, width, 4]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


class EvaluationFigures(EvaluationHistory):
    """After every evaluation: figures in each of the run's loggers that takes any, as TensorBoard's does.

    `evaluation/win_rates` (a heat map, opponent by iteration), `evaluation/scores` (the newest, with intervals),
    `opponents/weights` (where the data module's `opponent_pool` has some) and `value/calibration` (where its `replay`
    holds positions and the module's forward gives logits and value), the last also as the number
    ``val/value_calibration_error``. What the figures show goes on across a resume.

    Args:
        calibration_positions: positions drawn from the replay window for the calibration; 0: none.
        calibration_bins: bins of the predicted value.

    Raises:
        ValueError: names the argument that is out of range.
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

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"weights": {name: dict(weights) for name, weights in self.weights.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.weights = {name: dict(weights) for name, weights in state_dict["weights"].items()}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._record_weights(trainer, trainer.current_epoch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        self._record(self._iteration(trainer, pl_module), pl_module)
        # in a run, when the epoch ends: another callback may weigh the opponents anew after this one's turn
        self._due = trainer.state.fn == "fit"
        if not self._due:
            self._draw(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._due:
            self._due = False
            self._record_weights(trainer, self._iteration(trainer, pl_module))
            self._draw(trainer, pl_module)

    def _record_weights(self, trainer: Trainer, iteration: int) -> None:
        pool = getattr(getattr(trainer, "datamodule", None), "opponent_pool", None)
        for name, weight in getattr(pool, "weights", {}).items():
            self.weights.setdefault(name, {})[iteration] = float(weight)

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        iteration, figures = self._iteration(trainer, pl_module), {}
        if self.history:
            figures["evaluation/win_rates"] = win_rate_map(self.history)
        if results := getattr(pl_module, "evaluation", {}):
            figures["evaluation/scores"] = score_intervals(results, iteration)
        if self.weights:
            figures["opponents/weights"] = weights_over_iterations(self.weights)
        if bins := self._calibration(trainer, pl_module, iteration):
            figures["value/calibration"] = calibration_plot(*bins, iteration)
            error = {"val/value_calibration_error": calibration_gap(*bins), "epoch": trainer.current_epoch}
            for logger in trainer.loggers:
                logger.log_metrics(error, step=trainer.global_step)
        for name, figure in figures.items():
            for logger in trainer.loggers:
                log_figure(logger, name, figure, trainer.global_step)

    @torch.no_grad()
    def _calibration(self, trainer: Trainer, pl_module: LightningModule, iteration: int) -> _Bins | None:
        replay = getattr(getattr(trainer, "datamodule", None), "replay", None)
        if not self.calibration_positions or not replay:
            return None
        # a generator of its own: looking at a run changes nothing of what it draws
        batch = replay.sample(self.calibration_positions, np.random.default_rng(iteration))
        training = [module for module in pl_module.modules() if module.training]
        pl_module.eval()
        _, values = pl_module(batch["observations"].to(pl_module.device))
        for module in training:
            module.training = True
        predicted = values.float().cpu().numpy()
        if not np.isfinite(predicted).all():
            return None  # a network that diverged: the losses say so, a figure ends no run
        return calibration(predicted, batch["outcome"].numpy().astype(np.int8), self.calibration_bins)
