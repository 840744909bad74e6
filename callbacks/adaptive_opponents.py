"""Reweights a pool of opponents by the win rates of the last validation."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from callbacks._targets import Target

_DATALOADER_SUFFIX = "/dataloader_idx_"


class AdaptiveOpponentCallback(Callback):
    """Hands the win rates of each validation to a pool of opponents, which draws its opponents accordingly.

    The rates may be of anything that has a name, and the pool may share out anything by them: opponents, tasks,
    levels of a curriculum.

    After a validation during `fit` (not after the sanity check, nor after `trainer.validate`), every metric
    logged in this validation whose name starts with `metric_prefix` goes to
    `pool.update_weights_from_win_rates`, in one dict from the rest of the name to a float. The pool can be any
    object with that method. Where it has `weights`, a mapping from name to share, the new ones are logged as
    `opponents/weight/<name>`.

    The weights are state of the pool, so this callback saves nothing. The owner of the pool puts it in a
    checkpoint (a data module in its `state_dict`). A pool that is not saved starts anew in a resumed run. It has
    its weights back after the first validation, if they depend on the last win rates alone.

    In distributed training every process updates its own pool. Log the win rates as torchmetrics metrics, or
    with `sync_dist=True`, so that all see the same numbers. With several validation loaders log each under
    its own name, with `add_dataloader_idx=False`.

    Args:
        pool: Dotted path of the pool, from `trainer` or `pl_module`.
        metric_prefix: Start of the names of the win rates. The opponent's name follows.
        log_prefix: Start of the names of the logged weights. Give two pools different ones.

    Raises:
        ValueError: The path or a prefix is malformed.
        MisconfigurationException: When training is set up: the pool does not exist or lacks the method. After a
            validation: it logged no metric with the prefix, or one with a data loader's index in its name.

    Example:
        >>> import lightning.pytorch as pl
        >>> from lightning.pytorch.demos.boring_classes import BoringModel
        >>> class HardestOnly:
        ...     weights = {"easy": 0.5, "hard": 0.5}
        ...     def update_weights_from_win_rates(self, win_rates):
        ...         hardest = min(win_rates, key=win_rates.get)
        ...         self.weights = {name: float(name == hardest) for name in win_rates}
        >>> class Player(BoringModel):
        ...     pool = HardestOnly()
        ...     def on_validation_epoch_end(self):
        ...         self.log_dict({"val/win_rate/easy": 0.9, "val/win_rate/hard": 0.4})
        >>> player = Player()
        >>> trainer = pl.Trainer(
        ...     max_epochs=1, limit_train_batches=1, limit_val_batches=1, accelerator="cpu", logger=False,
        ...     enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        ...     callbacks=[AdaptiveOpponentCallback(pool="pl_module.pool")],
        ... )
        >>> trainer.fit(player)
        >>> player.pool.weights
        {'easy': 0.0, 'hard': 1.0}
    """

    def __init__(
        self,
        pool: str = "trainer.datamodule.opponent_pool",
        metric_prefix: str = "val/win_rate/",
        log_prefix: str = "opponents/weight/",
    ) -> None:
        super().__init__()
        if not metric_prefix:
            raise ValueError("metric_prefix='' would take every metric for a win rate: give the start of their names.")
        if not log_prefix:
            raise ValueError(
                "log_prefix='' would log the weights under the opponents' bare names: give the start of their names."
            )
        self.pool = pool
        self.metric_prefix = metric_prefix
        self.log_prefix = log_prefix
        self._target = Target(pool, argument="pool")
        self._metrics_before: dict[str, torch.Tensor] = {}

    @property
    def state_key(self) -> str:
        return f"{type(self).__qualname__}[pool={self.pool},metric_prefix={self.metric_prefix}]"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds the pool, so that training does not start with a wrong path."""
        if stage != "fit":
            return
        pool = self._target.get(trainer, pl_module)
        if not callable(getattr(pool, "update_weights_from_win_rates", None)):
            raise MisconfigurationException(
                f"{self._target} is a {type(pool).__name__} without update_weights_from_win_rates: a pool is any"
                " object with the method update_weights_from_win_rates(win_rates)."
            )

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # callback_metrics keeps what earlier validations logged. Only what is replaced from here on is fresh.
        self._metrics_before = dict(trainer.callback_metrics)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        win_rates = self._fresh_win_rates(trainer.callback_metrics)
        pool = self._target.get(trainer, pl_module)
        pool.update_weights_from_win_rates(win_rates)
        self._log_weights(trainer, pool)

    def _fresh_win_rates(self, metrics: dict[str, Any]) -> dict[str, float]:
        fresh = [name for name, value in metrics.items() if value is not self._metrics_before.get(name)]
        win_rates = {
            name.removeprefix(self.metric_prefix): float(metrics[name])
            for name in fresh
            if name.startswith(self.metric_prefix)
        }
        self._metrics_before = {}
        if not win_rates:
            raise MisconfigurationException(
                f"No metric of this validation starts with metric_prefix={self.metric_prefix!r}."
                f" It logged: {', '.join(sorted(fresh)) or 'nothing'}."
            )
        for name in win_rates:
            if _DATALOADER_SUFFIX in name:
                raise MisconfigurationException(
                    f"The win rate {self.metric_prefix + name!r} ends in the index of its data loader, so"
                    f" {name!r} is no opponent's name: log it with add_dataloader_idx=False."
                )
        return win_rates

    def _log_weights(self, trainer: Trainer, pool: Any) -> None:
        # Log to the loggers directly, because Lightning refuses self.log in on_validation_end.
        weights = getattr(pool, "weights", None)
        if not trainer.is_global_zero or not isinstance(weights, Mapping):
            return
        weights = {self.log_prefix + name: float(weight) for name, weight in weights.items()}
        for logger in trainer.loggers:
            logger.log_metrics({**weights, "epoch": trainer.current_epoch}, step=trainer.global_step)
