"""Shows every evaluation: a table in the terminal and the learning curve as a picture."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from rich.console import Console

from lit_trainer.reporting.history import EvaluationCallback, ends_no_run
from lit_trainer.reporting.measurement_report import TEST_PICTURE, TEST_RECORD, report
from lit_trainer.reporting.plots import learning_curve
from lit_trainer.reporting.sources import results_of
from lit_trainer.reporting.tables import comparison_table, evaluation_table, print_table
from lit_trainer.utils.files import save_figure


class EvaluationReport(EvaluationCallback):
    """Shows a table after every evaluation and, in a run, writes ``learning_curve.png`` into its log folder.

    After a test it prints tables and writes ``test.json`` and ``test.png``. Works with any module that has
    `evaluation`, a dict of opponent to `MatchResult`, with `evaluation_by_model` also a dict of model to such a dict,
    whose models are shown side by side, and for a test `measurement`, a dict of simulations per move to
    such a dict, or `tested`, a dict of `Match` to `MatchResult`. The curve goes on across a resume.

    Args:
        file_name: File name of the learning curve's picture.
    """

    def __init__(self, file_name: str = "learning_curve.png") -> None:
        super().__init__()
        self.file_name = file_name

    @property
    def file_names(self) -> tuple[str, ...]:
        """Returns the names of all files that this callback may write into the run's folder."""
        return self.file_name, TEST_RECORD, TEST_PICTURE

    def _path(self, trainer: Trainer) -> Path:
        return Path(trainer.log_dir or trainer.default_root_dir) / self.file_name

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the table, and draws the learning curve of a run."""
        path = self._path(trainer)  # asks all processes, so before any of them leaves
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        self.record(trainer, pl_module)
        if (results := results_of(pl_module)).evaluation:
            title = f"Evaluation at iteration {self.iteration(trainer, pl_module)}"
            before, models = self._history.before, results.evaluation_by_model
            alone = evaluation_table(results.evaluation, before, title)
            print_table(comparison_table(models, title, before) if len(models) > 1 else alone)
        if trainer.state.fn == "fit" and self.history:
            self._draw(path)

    def _draw(self, path: Path) -> None:
        with ends_no_run(str(path)):
            save_figure(path, learning_curve(self.history))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the tables of the test and writes its files."""
        folder = self._path(trainer).parent  # asks all processes
        if trainer.is_global_zero and results_of(pl_module).tested:
            report(trainer, pl_module, folder)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Says where the learning curve is. It is drawn now if the run had no evaluation, only one before it."""
        path = self._path(trainer)
        if not self.history or not trainer.is_global_zero:
            return
        if not path.is_file():
            self._draw(path)
        if path.is_file():
            Console().print(f"Learning curve: {path}", soft_wrap=True)
