"""What a person sees of an evaluation: a table in the terminal, and the learning curve as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from lit_trainer.files import save_figure
from lit_trainer.measurement import report
from lit_trainer.metrics import WinRateResult


def evaluation_table(
    results: dict[str, WinRateResult], before: dict[str, float] | None = None, title: str = "Evaluation"
) -> Table:
    """The results as a rich table: opponent, games, win, draw, loss, score with interval, change of the score."""
    table = Table(
        title=f"{title} (in % of the games; 95 % intervals)", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in ("opponent", "games", "win", "draw", "loss", "score", "interval", "change"):
        table.add_column(column, justify="left" if column == "opponent" else "right", no_wrap=True)
    for name, result in results.items():
        shares = [100 * count / max(result.games, 1) for count in (result.wins, result.draws, result.losses)]
        change = f"{100 * (result.score - before[name]):+.1f}" if before and name in before else ""
        table.add_row(
            name,
            str(result.games),
            *(f"{share:.1f}" for share in (*shares, 100 * result.score)),
            f"{100 * result.low:.1f} - {100 * result.high:.1f}",
            change,
        )
    return table


def learning_curve(history: dict[str, dict[int, float]], path: Path) -> None:
    """Draw each opponent's score over the iterations into a PNG file, written whole or not at all."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for name, scores in history.items():
        axes.plot(list(scores), [100 * score for score in scores.values()], marker="o", markersize=3, label=name)
    axes.axhline(50, color="grey", linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="iteration",
        ylabel="score in % (wins and half the draws)",
        ylim=(0, 100),
        title="Learning curve",
    )
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    save_figure(path, figure)


class EvaluationHistory(Callback):
    """Keeps each opponent's score over the iterations, across a resume too: what is shown of it is a subclass's.

    Works with any module that has `evaluation`, a dict of opponent to `WinRateResult`.
    """

    def __init__(self) -> None:
        self.history: dict[str, dict[int, float]] = {}
        """Opponent to iteration to score."""

    def state_dict(self) -> dict[str, Any]:
        return {"history": {name: dict(scores) for name, scores in self.history.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = {name: dict(scores) for name, scores in state_dict["history"].items()}

    def _iteration(self, trainer: Trainer, pl_module: LightningModule) -> int:
        # within a run the weights evaluated are those at the epoch's end; outside the run's loops are not restored
        fitting = trainer.state.fn == "fit"
        return trainer.current_epoch + 1 if fitting else int(getattr(pl_module, "iterations_done", 0))

    def _record(self, iteration: int, pl_module: LightningModule) -> None:
        for name, result in getattr(pl_module, "evaluation", {}).items():
            self.history.setdefault(name, {})[iteration] = result.score


class EvaluationReport(EvaluationHistory):
    """After every evaluation: a table in the terminal and, in a run, ``learning_curve.png`` in its log folder.

    After a test: tables, ``test.json`` and ``test.png``. Works with any module that has `evaluation`, a dict of
    opponent to `WinRateResult`, and `measurement`, for a test. The curve goes on across a resume.

    Args:
        file_name: of the picture.
    """

    def __init__(self, file_name: str = "learning_curve.png") -> None:
        super().__init__()
        self.file_name = file_name

    def _path(self, trainer: Trainer) -> Path:
        return Path(trainer.log_dir or trainer.default_root_dir) / self.file_name

    def _print(self, pl_module: LightningModule, title: str) -> None:
        results: dict[str, WinRateResult] = getattr(pl_module, "evaluation", {})
        if results:
            before = {name: list(scores.values())[-1] for name, scores in self.history.items() if scores}
            Console().print(evaluation_table(results, before, title))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        path = self._path(trainer)  # asks all processes, so before any of them leaves
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        iteration = self._iteration(trainer, pl_module)
        self._print(pl_module, f"Evaluation at iteration {iteration}")
        self._record(iteration, pl_module)
        if trainer.state.fn == "fit" and self.history:
            learning_curve(self.history, path)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = self._path(trainer).parent  # asks all processes
        if trainer.is_global_zero and getattr(pl_module, "measurement", {}):
            report(trainer, pl_module, folder)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        path = self._path(trainer)
        if self.history and trainer.is_global_zero:
            Console().print(f"Learning curve: {path}", soft_wrap=True)
