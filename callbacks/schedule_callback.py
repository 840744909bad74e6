"""Schedules any attribute: sets it from the epoch, and logs it."""

from typing import ClassVar, get_args

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks._targets import Target
from callbacks.schedules import ScheduleType, check_points, decayed, interpolated


class ScheduleCallback(Callback):
    """Sets any number that the module, the data module or the trainer holds at the start of every epoch.

    A clip range, a dropout rate, the weight of a loss term, a number of simulations: what `target` leads to. The
    value follows from `trainer.current_epoch` alone. There is no state: after a resume the arguments given now
    and the restored epoch decide. It is logged at the end of the epoch it was in force in.

    Args:
        target: Dotted path of the attribute, from `pl_module` or `trainer`: `pl_module.clip_range`,
            `trainer.datamodule.noise`, `pl_module.layers.2.p`. It has to exist when training is set up (after
            the data module's `setup`, before the module's) and hold a number, a one-element tensor or None.
        start: Value until `first_iteration`. With `"constant"`, the value throughout.
        end: Value from `last_iteration` on. None only where `decay_type` is `"constant"` or `"piecewise"`.
        decay_type: The way from one to the other: `"linear"`, `"cosine"` (half a cosine), `"exponential"` (the
            same factor every epoch, between values above 0), `"constant"`, or `"piecewise"`: straight lines
            between `points`.
        first_iteration: Epoch at which the way starts. Not 0 where a run continues: 600 for epochs 600 to 1000.
        last_iteration: Epoch at which it ends. None for the trainer's `max_epochs`.
        points: Epoch to value, for `"piecewise"` alone, in place of `start`, `end` and the two iterations. Held
            before the first and after the last; two neighbouring epochs make a jump.
        integer: Whether to set the nearest whole number, as an int.
        log_name: Name of the logged value; None for `train/` and the target below its root
            (`train/layers.2.p`).

    Raises:
        ValueError: An argument is wrong, or does not go with the decay type; the message names it.
        MisconfigurationException: When training is set up: the target does not exist or cannot be set,
            another schedule has the same target or log name, or there is no last iteration.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning.pytorch.demos.boring_classes import BoringModel
        >>> model = BoringModel()
        >>> model.clip_range = 0.2
        >>> schedule = ScheduleCallback("pl_module.clip_range", start=0.2, end=0.1, decay_type="cosine")
        >>> trainer = Trainer(max_epochs=2, limit_train_batches=1, callbacks=[schedule], barebones=True)
        >>> trainer.fit(model)
        >>> round(model.clip_range, 9)
        0.15
    """

    _ends: ClassVar[tuple[str, str]] = ("start", "end")
    """The attributes that hold the two ends: a subclass may have other names for them."""
    _lowest: ClassVar[float | None] = None
    """The least that an end may be."""
    _decay_types: ClassVar[tuple[str, ...]] = get_args(ScheduleType)

    def __init__(
        self,
        target: str,
        start: float | None = None,
        end: float | None = None,
        decay_type: ScheduleType = "linear",
        first_iteration: int = 0,
        last_iteration: int | None = None,
        points: dict[int, float] | None = None,
        integer: bool = False,
        log_name: str | None = None,
    ) -> None:
        super().__init__()
        self._target = Target(target)
        _check_span(first_iteration, last_iteration)
        self.target = target
        for name, value in zip(self._ends, (start, end), strict=True):
            setattr(self, name, value)
        self.decay_type = decay_type
        self.first_iteration = first_iteration
        self.last_iteration = last_iteration
        self.points = points
        self.integer = integer
        self.log_name = f"train/{target.partition('.')[2]}" if log_name is None else log_name
        self._check_decay_type()
        # The schedule checks its own arguments: ask once now, so that wrong ones do not wait for training.
        self._value(0, 1)

    @property
    def state_key(self) -> str:
        # Lightning's default is the class's name alone, which two instances would share.
        return f"{type(self).__qualname__}[target={self.target}]"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds the target and sets its first value, so that what is wrong is said before training starts."""
        if stage == "fit":
            self._check_others(trainer)
            self._set_value(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The first hook that knows the restored epoch, and the only one when a run resumes within an epoch.
        self._set_value(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._set_value(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Every epoch ends exactly once, resumed within or not; a value logged earlier is written no earlier.
        value = float(self._current_value(trainer))
        pl_module.log(self.log_name, value, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)

    def _set_value(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._target.set_number(trainer, pl_module, self._current_value(trainer))

    def _current_value(self, trainer: Trainer) -> float:
        total_iterations = 1
        if self.decay_type not in ("piecewise", "constant"):
            total_iterations = self._resolve_last_iteration(trainer) - self.first_iteration
        value = self._value(trainer.current_epoch - self.first_iteration, total_iterations)
        return round(value) if self.integer else value

    def _value(self, iteration: int, total_iterations: int) -> float:
        """The value at `iteration` of `total_iterations`, counted from the first iteration."""
        if self.decay_type == "piecewise":
            assert self.points is not None
            return interpolated(iteration, self.points)
        start, end = (getattr(self, name) for name in self._ends)
        if self.decay_type == "constant" and end is None:
            end = start
        ends = dict(zip(self._ends, (start, end), strict=True))
        return decayed(iteration, total_iterations, ends, self.decay_type, self._lowest)

    def _check_decay_type(self) -> None:
        """Raise ValueError where the decay type is none, or an argument was given that it would not use."""
        if self.decay_type not in self._decay_types:
            raise ValueError(
                f"decay_type={self.decay_type!r} is not a decay type: use one of {', '.join(self._decay_types)}."
            )
        if self.decay_type != "piecewise":
            if self.points is not None:
                raise ValueError(f"points={self.points!r} belong to decay_type='piecewise', not {self.decay_type!r}.")
            return
        check_points(self.points)
        unused_values = dict.fromkeys((*self._ends, "last_iteration")) | {"first_iteration": 0}
        for name, unused in unused_values.items():
            if getattr(self, name) != unused:
                raise ValueError(
                    f"{name}={getattr(self, name)!r}: with decay_type='piecewise' the points alone decide;"
                    " leave it out."
                )

    def _resolve_last_iteration(self, trainer: Trainer) -> int:
        if self.last_iteration is not None:
            return self.last_iteration
        max_epochs = trainer.max_epochs
        if max_epochs is None or max_epochs <= self.first_iteration:
            raise MisconfigurationException(
                f"{type(self).__name__}: last_iteration=None means the trainer's max_epochs, which is"
                f" {max_epochs} and not above first_iteration={self.first_iteration}. Give last_iteration,"
                " the epoch at which the schedule ends, or a larger max_epochs."
            )
        return max_epochs

    def _check_others(self, trainer: Trainer) -> None:
        for other in trainer.callbacks:  # type: ignore[attr-defined]
            if other is self or not isinstance(other, ScheduleCallback):
                continue
            if other.target == self.target:
                raise MisconfigurationException(
                    f"Two schedules set {self._target}: {type(self).__name__} and {type(other).__name__}."
                    " The later one would win without a word; keep one."
                )
            if other.log_name == self.log_name:
                raise MisconfigurationException(
                    f"Two schedules log under {self.log_name!r}: those of {self._target} and {other._target}."
                    " Give one of them another log_name."
                )


def _check_span(first_iteration: int, last_iteration: int | None) -> None:
    if not isinstance(first_iteration, int) or first_iteration < 0:
        raise ValueError(f"first_iteration={first_iteration!r} must be an epoch: an integer of at least 0.")
    if last_iteration is not None and (not isinstance(last_iteration, int) or last_iteration <= first_iteration):
        raise ValueError(
            f"last_iteration={last_iteration!r} must be an epoch above first_iteration={first_iteration},"
            " or None for the trainer's max_epochs."
        )
