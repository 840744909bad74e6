"""Shows every evaluation: a table in the terminal and the learning curve as a picture."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from rich.console import Console

from lit_trainer.reporting.history import EvaluationHistory
from lit_trainer.reporting.measurement_report import report
from lit_trainer.reporting.plots import learning_curve
from lit_trainer.reporting.sources import results_of
from lit_trainer.reporting.tables import evaluation_table, print_table


class EvaluationReport(EvaluationHistory):
    """After every evaluation: a table in the terminal and, in a run, ``learning_curve.png`` in its log folder.

    After a test: tables, ``test.json`` and ``test.png``. Works with any module that has `evaluation`, a dict of
    opponent to `MatchResult`, and `measurement`, for a test. The curve goes on across a resume.

    Args:
        file_name: of the picture.
    """

    def __init__(self, file_name: str = "learning_curve.png") -> None:
        super().__init__()
        self.file_name = file_name

    def _path(self, trainer: Trainer) -> Path:
        return Path(trainer.log_dir or trainer.default_root_dir) / self.file_name

    def _print(self, pl_module: LightningModule, title: str) -> None:
        if results := results_of(pl_module).evaluation:
            before = {name: list(scores.values())[-1] for name, scores in self.history.items() if scores}
            print_table(evaluation_table(results, before, title))

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
        if trainer.is_global_zero and results_of(pl_module).measurement:
            report(trainer, pl_module, folder)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        path = self._path(trainer)
        if self.history and trainer.is_global_zero:
            Console().print(f"Learning curve: {path}", soft_wrap=True)
