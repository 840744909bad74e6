"""Stops a run, or skips the step, where the loss or a gradient is NaN or infinite."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
from lightning.pytorch.utilities import rank_zero_warn
from torch.optim import Optimizer

Action = Literal["stop", "skip"]

_SHARDING_STRATEGIES = (DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy)
_KEPT = 16
"""Most batches since the last step that are kept, where gradients are accumulated. Then they are looked at."""
_FILES = 5
"""Most files that one run writes."""
_NAMED = 5
"""Most parameters that a message names."""


class NonFiniteError(ArithmeticError):
    """Says that the loss or a gradient is NaN or infinite: which one, at which step, and where the batch was saved."""


class NonFiniteCallback(Callback):
    """Checks loss and gradients before every optimizer step, so that a NaN never spoils a weight.

    It writes what led to the NaN to a file, for `torch.load`: the batches since the last step, their losses, the names
    of parameters whose gradients are not finite, epoch, step, and the module's weights before the step.

    - Works under automatic and manual optimization, with accumulated gradients and with several processes, which
      agree on what to do.
    - Under manual optimization a step counts as spoilt if the gradients that it uses are: a loss may have been of
      another step, or of another optimizer.
    - With a gradient scaler (16-bit mixed precision) a step is left out only where a loss was not finite: the scaler
      skips steps with infinite gradients itself, because that is how it finds its scale.
    - The check waits for the device once per step, and once for every 16 batches whose gradients are accumulated. Of
      more than 16 the file holds 16, with the first one that is not finite among them.

    Args:
        action: `"stop"` raises NonFiniteError. `"skip"` skips the step, as if the batch did not exist, and logs the
            number of skipped steps as `train/skipped_steps`.
        max_skipped: Most steps of one optimizer in a row that `"skip"` skips. One more stops the run.
        dirpath: Folder of the file. None: the run's log folder. A file that stands there is never overwritten: the new
            one's name ends in `-v1`, `-v2` and so on.

    Raises:
        ValueError: An argument is wrong; the message names it.
        MisconfigurationException: When training is set up with a strategy that shards gradients (FSDP, DeepSpeed,
            model parallel): one process cannot check or skip its shard alone.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning.pytorch.demos.boring_classes import BoringModel
        >>> trainer = Trainer(
        ...     max_steps=3, callbacks=[NonFiniteCallback(action="skip")], accelerator="cpu", logger=False,
        ...     enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        ... )
        >>> trainer.fit(BoringModel())
        >>> int(trainer.callback_metrics["train/skipped_steps"])
        0
    """

    def __init__(self, action: Action = "stop", max_skipped: int = 10, dirpath: str | None = None) -> None:
        super().__init__()
        if action not in get_args(Action):
            raise ValueError(f"action={action!r} is not an action: use one of {', '.join(get_args(Action))}.")
        if isinstance(max_skipped, bool) or not isinstance(max_skipped, int) or max_skipped < 1:
            raise ValueError(f"max_skipped={max_skipped!r} must be an integer of at least 1.")
        self.action = action
        self.max_skipped = max_skipped
        self.dirpath = dirpath
        self.skipped: int
        """Steps skipped so far, including those before a resume."""
        self._begin()

    def _begin(self) -> None:
        self.skipped = 0
        self._in_a_row: dict[int, int] = {}
        """Id of an optimizer to its newest steps that were skipped."""
        self._written = 0
        self._batch_idx = 0
        self._forget()

    def state_dict(self) -> dict[str, Any]:
        # Empty where nothing was skipped, so that a resume may leave this callback out.
        return {"skipped": self.skipped} if self.skipped else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped = int(state_dict["skipped"])

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuses sharded gradients, and begins to count anew unless the trainer goes on where it stopped."""
        if stage == "fit" and isinstance(trainer.strategy, _SHARDING_STRATEGIES):
            raise MisconfigurationException(
                f"NonFiniteCallback cannot be used with {type(trainer.strategy).__name__}: each process holds"
                " only a shard of the gradients."
            )
        if stage == "fit" and trainer.current_epoch == 0:
            self._begin()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        # A checkpoint of a run that skipped nothing holds no state to load.
        self._begin()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if len(self._batches) == _KEPT and (self._reported or self._is_finite(trainer, trainer.optimizers)):
            self._forget()
        self._batch_idx = batch_idx
        self._collects = len(self._batches) < _KEPT
        if self._collects:
            self._batches.append(batch)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: torch.Tensor) -> None:
        # Only kept: looking at it here would wait for the device twice per step.
        if self._collects:
            self._losses.append(loss.detach())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        finite = self._is_finite(trainer, [optimizer])
        if trainer.world_size > 1:
            # All processes must decide the same, but each has its own loss.
            finite = trainer.strategy.reduce_boolean_decision(finite)
        if finite:
            self._in_a_row[id(optimizer)] = 0
        else:
            self._leave_out(trainer, pl_module, optimizer)
        self._stepped.add(id(optimizer))
        if len(self._stepped) >= len(trainer.optimizers):  # a loss may be that of all optimizers
            self._losses.clear()
            self._stepped.clear()
            self._all_stepped = True

    def _leave_out(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        fault = self._describe(trainer, pl_module, optimizer)
        self._reported = True
        self._in_a_row[id(optimizer)] = in_a_row = self._in_a_row.get(id(optimizer), 0) + 1
        if self.action == "stop":
            raise NonFiniteError(f"{fault} Resume from the last checkpoint, with a lower learning rate for example.")
        if in_a_row > self.max_skipped:
            raise NonFiniteError(f"{fault} max_skipped={self.max_skipped} steps in a row were skipped before it.")
        self.skipped += 1
        rank_zero_warn(f"{fault} Steps skipped so far: {self.skipped}.")
        for parameter, gradient in _gradients(optimizer):
            if _scaler(trainer) is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
                gradient.fill_(math.nan)  # this optimizer's scaler has yet to look, and needs something to look at
            else:
                parameter.grad = None  # optimizers pass over parameters without a gradient

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._all_stepped:
            self._forget()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.action == "skip":
            skipped = float(self.skipped)
            pl_module.log("train/skipped_steps", skipped, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._forget()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._forget()

    def _forget(self) -> None:
        self._batches: list[Any] = []
        """Batches since all optimizers have stepped."""
        self._losses: list[torch.Tensor] = []
        self._stepped: set[int] = set()
        """Ids of the optimizers that have stepped since all have."""
        self._collects, self._reported, self._all_stepped = True, False, False

    @torch.no_grad()
    def _is_finite(self, trainer: Trainer, optimizers: Iterable[Optimizer]) -> bool:
        """Returns whether a step with these gradients may be made. Waits for the device once where it may."""
        automatic, scaled = trainer.lightning_module.automatic_optimization, _scaler(trainer) is not None
        gradients = [gradient for _, gradient in chain(*map(_gradients, optimizers))]
        looked_at = [loss.float().sum() for loss in self._losses if automatic or scaled]
        if gradients and not (automatic and scaled):
            looked_at.append(torch.nn.utils.get_total_norm(gradients).float())
        if not looked_at:
            return True
        device = looked_at[-1].device
        if bool(torch.stack([value.to(device) for value in looked_at]).isfinite().all()):
            return True
        # A norm is a sum of squares, so it may overflow where all gradients are finite.
        losses_are, gradients_are = (
            all(bool(values.isfinite().all()) for values in group) for group in (self._losses, gradients)
        )
        if automatic:
            return losses_are and (gradients_are or scaled)
        return gradients_are or (losses_are and scaled)

    def _describe(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> str:
        """Returns what is not finite and where it was saved, after saving it."""
        losses = [float(loss.float().sum()) for loss in self._losses]
        names = {id(parameter): name for name, parameter in pl_module.named_parameters()}
        bad = [names.get(id(p), "?") for p, gradient in _gradients(optimizer) if not bool(gradient.isfinite().all())]
        what = "the loss of another process is not finite"
        if loss := ", ".join(f"{value:g}" for value in losses if not math.isfinite(value)):
            what = f"the loss is {loss}"
        elif bad:
            others = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
            what = f"the loss is finite, the gradient is not, of {', '.join(bad[:_NAMED])}{others}"
        where = f"Step {trainer.global_step} (epoch {trainer.current_epoch}, batch {self._batch_idx})"
        return f"{where}: {what}; {self._write(trainer, pl_module, losses, bad)}"

    def _write(self, trainer: Trainer, pl_module: LightningModule, losses: list[float], bad: list[str]) -> str:
        """Writes the file. Returns where it is, or why there is none, because the message must come in any case."""
        if self._written >= _FILES:
            return f"no more than {_FILES} files are written. The step has not been made."
        folder = Path(self.dirpath or trainer.log_dir or trainer.default_root_dir)
        rank = f"-rank{trainer.global_rank}" if trainer.world_size > 1 else ""
        path = _free(folder / f"non_finite-step{trainer.global_step}{rank}.pt")
        content = {
            "batches": self._batches,
            "losses": losses,
            "not_finite": bad,
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "state_dict": pl_module.state_dict(),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                torch.save(move_data_to_device(content, torch.device("cpu")), file)
        except Exception as error:  # a full disk, or whatever pickling a batch raises
            return f"batch and weights could not be written to {path} ({error}). The step has not been made."
        self._written += 1
        return f"batch and weights are in {path}. The step has not been made."


def _free(path: Path) -> Path:
    """Returns a path at which nothing stands: this one, or one with a number."""
    numbered = (path.with_stem(f"{path.stem}-v{number}") for number in count(1))
    return next(one for one in chain([path], numbered) if not os.path.lexists(one))


def _scaler(trainer: Trainer) -> Any:
    return getattr(trainer.precision_plugin, "scaler", None)


def _gradients(optimizer: Optimizer) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Returns the parameters with their gradients. A sparse gradient is returned as its values."""
    parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
    found = [(parameter, parameter.grad) for parameter in parameters if parameter.grad is not None]
    return [(p, gradient.coalesce().values() if gradient.is_sparse else gradient) for p, gradient in found]
