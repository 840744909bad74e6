"""Measures the norm of the gradients before and after clipping."""

import math
from collections.abc import Callable
from functools import partial, wraps
from numbers import Real
from types import MethodType
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
from torch.optim import Optimizer

_PRE_CLIP = "train/grad_norm_pre_clip"
_POST_CLIP = "train/grad_norm_post_clip"
_SHARDING_STRATEGIES = (DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy)


class GradNormCallback(Callback):
    """Logs the norm of the gradients as they arrive and as the optimizer consumes them.

    `train/grad_norm_pre_clip` is measured in `on_before_optimizer_step`: unscaled and not clipped.
    `train/grad_norm_post_clip` is measured on the gradients that the optimizer steps with, after clipping by
    norm, by value or by an overridden `configure_gradient_clipping`. It is not computed from a limit.

    - Both are logged once per batch in which an optimizer steps. Accumulated gradients are measured as their sum.
    - With more than one optimizer the names end in its index: `train/grad_norm_pre_clip/0`.
    - If one optimizer steps several times in a batch, its last step counts.
    - Under manual optimization, clipping before `optimizer.step()` happens before both measurements.
    - The norm of gradients that are not finite is logged as it is. If mixed precision then skips the step,
      the post-clip norm is NaN, because no gradient is used.
    - Any optimizer that Lightning takes can be measured, also one that is none of torch's. Its `step` is wrapped
      during training.

    Args:
        norm_type: The p of the p-norm, above 0. Use `math.inf` (`.inf` in YAML) for the largest absolute value.

    Raises:
        ValueError: `norm_type` is not a number above 0.
        MisconfigurationException: When training is set up with a strategy that shards gradients (FSDP,
            DeepSpeed, model parallel): a process would measure only its own shard.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning.pytorch.demos.boring_classes import BoringModel
        >>> trainer = Trainer(
        ...     max_steps=1, gradient_clip_val=0.001, callbacks=[GradNormCallback()], accelerator="cpu",
        ...     logger=False, enable_checkpointing=False, enable_progress_bar=False,
        ...     enable_model_summary=False,
        ... )
        >>> trainer.fit(BoringModel())
        >>> bool(trainer.callback_metrics["train/grad_norm_pre_clip"] > 0.001)
        True
        >>> round(float(trainer.callback_metrics["train/grad_norm_post_clip"]), 5)
        0.001
    """

    def __init__(self, norm_type: float = 2.0) -> None:
        super().__init__()
        if not isinstance(norm_type, Real) or isinstance(norm_type, bool) or not norm_type > 0:
            raise ValueError(f"norm_type={norm_type!r} must be a number above 0, or {math.inf!r}.")
        self.norm_type: float = float(norm_type)
        self._watched: dict[int, _WatchedStep] = {}
        self._norms: dict[str, torch.Tensor] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit" and isinstance(trainer.strategy, _SHARDING_STRATEGIES):
            raise MisconfigurationException(
                f"GradNormCallback cannot be used with {type(trainer.strategy).__name__}: each process holds"
                " a shard of the gradients, and the norm of a shard is not the norm of the gradient."
            )

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._norms.clear()
        # Look in every batch, because an optimizer may be replaced during training.
        for optimizer in map(_unwrap, trainer.optimizers):
            if id(optimizer) not in self._watched:
                store = partial(self._store_post_clip, trainer, optimizer)
                self._watched[id(optimizer)] = _WatchedStep(optimizer, store)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        optimizer = _unwrap(optimizer)
        norm = self._measure(trainer, optimizer)
        self._norms[_name(_PRE_CLIP, trainer, optimizer)] = norm
        # Remains only if the step is skipped. Without it Lightning would log the last step's norm again.
        self._norms[_name(_POST_CLIP, trainer, optimizer)] = torch.full_like(norm, math.nan)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # Log here and not where it is measured: a module may step in a hook in which Lightning refuses to log.
        for name, norm in self._norms.items():
            pl_module.log(name, norm, on_step=True, on_epoch=False, batch_size=1)
        self._norms.clear()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._stop_watching()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # Lightning does not call teardown after an exception.
        self._stop_watching()

    def _stop_watching(self) -> None:
        for watched in self._watched.values():
            watched.end()
        self._watched.clear()
        self._norms.clear()

    def _store_post_clip(self, trainer: Trainer, optimizer: Optimizer) -> None:
        self._norms[_name(_POST_CLIP, trainer, optimizer)] = self._measure(trainer, optimizer)

    @torch.no_grad()
    def _measure(self, trainer: Trainer, optimizer: Optimizer) -> torch.Tensor:
        """Returns the norm of all the optimizer's gradients together, as `clip_grad_norm_` computes it."""
        parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
        gradients = [_dense(parameter.grad) for parameter in parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, self.norm_type)
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        # Only a fused optimizer gets gradients that still carry the loss scale, because it divides by the scale itself.
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            norm = norm / scaler.get_scale()
        return norm


class _WatchedStep:
    """Calls a function at each step of an optimizer, between clipping and the update.

    Lightning runs backward and clipping in a closure that the optimizer calls at the start of its step, so the call
    goes to the end of that closure. After the step would be too late: some optimizers write into the gradients while
    stepping (SGD with Nesterov momentum, for one). torch's own hooks are not used, because only optimizers that run
    the constructor of `torch.optim.Optimizer` have them.

    Args:
        optimizer: The optimizer, whose `step` is replaced until `end` is called.
        before_update: Called without arguments.
    """

    def __init__(self, optimizer: Optimizer, before_update: Callable[[], None]) -> None:
        self._optimizer = optimizer
        self._before_update = before_update
        self._own = vars(optimizer).get("step")  # a learning rate scheduler may have put one there
        step = optimizer.step

        @wraps(step)  # schedulers and gradient scalers look at a step's attributes and signature
        def watched(_: Optimizer, *args: Any, **kwargs: Any) -> Any:
            if args and callable(args[0]):
                return step(_then(args[0], self._before_update), *args[1:], **kwargs)
            if callable(kwargs.get("closure")):
                return step(*args, **{**kwargs, "closure": _then(kwargs["closure"], self._before_update)})
            # With a gradient scaler Lightning has run the closure already.
            self._before_update()
            return step(*args, **kwargs)

        self._step = MethodType(watched, optimizer)  # schedulers made from now on wrap a bound method
        optimizer.step = self._step  # type: ignore[method-assign]

    def end(self) -> None:
        """Puts the optimizer's own step back. One that something else has wrapped meanwhile calls nothing any more."""
        self._before_update = lambda: None
        if vars(self._optimizer).get("step") is not self._step:
            return
        if self._own is None:
            del self._optimizer.step
        else:
            self._optimizer.step = self._own  # type: ignore[method-assign]


def _unwrap(optimizer: Any) -> Optimizer:
    wrapped: Optimizer = optimizer.optimizer if isinstance(optimizer, LightningOptimizer) else optimizer
    return wrapped


def _name(name: str, trainer: Trainer, optimizer: Optimizer) -> str:
    optimizers = [_unwrap(one) for one in trainer.optimizers]
    return name if len(optimizers) == 1 else f"{name}/{optimizers.index(optimizer)}"


def _dense(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _then(closure: Callable[[], Any], after: Callable[[], None]) -> Callable[[], Any]:
    def closure_and_after() -> Any:
        result = closure()
        after()
        return result

    return closure_and_after
