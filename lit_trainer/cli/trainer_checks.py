"""Checks what Lightning itself refuses only after the run's folder is made, or after the first evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from lightning.pytorch import Trainer
from lightning.pytorch.accelerators.cpu import _PSUTIL_AVAILABLE
from lightning.pytorch.callbacks import BatchSizeFinder, DeviceStatsMonitor, LearningRateFinder, LearningRateMonitor

from lit_trainer.learning.data_module import SelfPlayDataModule

_STAGES = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}


def late_fault(command: str, trainer: Trainer, data: SelfPlayDataModule) -> str | None:
    """Returns an error about the first setting of the trainer that the subcommand cannot run with.

    Args:
        command: The subcommand: "fit", "validate" or "test".
        trainer: The trainer, before it has run.
        data: The data module.

    Returns:
        The error, or None if Lightning takes all settings.
    """
    return next(_faults(command, trainer, data), None)


def _faults(command: str, trainer: Trainer, data: SelfPlayDataModule) -> Iterator[str]:
    for stage in _STAGES[command]:
        batches = data.steps_per_iteration if stage == "train" else 1
        limit = getattr(trainer, f"limit_{stage}_batches")
        if isinstance(limit, float) and limit > 0.0 and int(limit * batches) == 0:
            expected = "1.0 or 0.0; data.evaluation.games and data.test.games make matches shorter"
            if stage == "train":
                expected = f"at least {1 / batches:g}, because an iteration has {batches} batches"
            yield f"trainer.limit_{stage}_batches: {limit} given, expected {expected}"
    if command != "fit":
        return
    limit = trainer.limit_train_batches
    batches = min(data.steps_per_iteration, limit) if isinstance(limit, int) else int(data.steps_per_iteration * limit)
    interval = trainer.val_check_interval
    if (
        isinstance(interval, int)
        and interval > batches
        and trainer.check_val_every_n_epoch is not None
        and trainer.limit_val_batches
    ):
        yield (
            f"trainer.val_check_interval: {interval} given, expected at most {batches}, the batches of an iteration, "
            "or trainer.check_val_every_n_epoch: null to count on over iterations"
        )
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        name = f"trainer.callbacks: {type(callback).__name__}"
        if isinstance(callback, LearningRateMonitor | DeviceStatsMonitor) and not trainer.loggers:
            yield (
                f"{name} needs a logger; expected one, such as --trainer.logger=CSVLogger "
                "--trainer.logger.save_dir=runs, or callbacks without it, such as '--trainer.callbacks="
                "[callbacks.NonFiniteCallback,lit_trainer.EvaluationReport,ModelCheckpoint]'"
            )
        if (
            isinstance(callback, DeviceStatsMonitor)
            and not _PSUTIL_AVAILABLE
            and (callback._cpu_stats or (callback._cpu_stats is None and trainer.strategy.root_device.type == "cpu"))
        ):
            yield f"{name} needs psutil: pip install psutil"
        if isinstance(callback, LearningRateFinder | BatchSizeFinder):
            yield (
                f"{name} given, expected none: it tries values on batches, which self-play makes only in a run; set "
                "model.optimizer.init_args.lr and data.batch_size"
            )
