"""Schedules any attribute: computes its value from the epoch, sets it and logs it."""

from collections.abc import Iterator
from typing import Any, ClassVar, get_args

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from callbacks._targets import Target
from callbacks.schedules import ScheduleType, check_points, decayed, interpolated

_MOST_CHECKED = 10_000
"""Epochs of a schedule whose values are checked when training is set up."""


class ScheduleCallback(Callback):
    """Sets a number that the module, the data module or the trainer holds, at the start of every epoch.

    The number can be anything that `target` leads to: a clip range, a dropout rate, the weight of a loss term, a
    number of simulations. Its value depends on `trainer.current_epoch` alone. The callback has no state: after a
    resume the arguments given now and the restored epoch decide. The value that the target holds is logged at the end
    of its epoch.

    Data is made with the value of its epoch: it is set before the first batch is asked for, in a resumed run too.
    Where the trainer reloads loaders (`reload_dataloaders_every_n_epochs`), the next epoch's value is set when an
    epoch ends, because Lightning asks for the loader before the epoch starts. Hooks that run later in
    `on_train_epoch_end` see it.

    Args:
        target: Dotted path of the attribute, from `pl_module` or `trainer`: `pl_module.clip_range`,
            `trainer.datamodule.noise`, `pl_module.layers.2.p`. It has to exist when training is set up (after
            the data module's `setup`, before the module's) and hold a number, a one-element tensor or None.
            A field of a frozen dataclass is set by putting a changed copy of the dataclass in its place.
        start: Value until `first_iteration`. With `"constant"`, the value throughout.
        end: Value from `last_iteration` on. May be None only with `"constant"` and `"piecewise"`.
        decay_type: Shape of the way from start to end, as `get_entropy_coef` explains them. `"piecewise"`
            instead draws straight lines between `points`.
        first_iteration: Epoch at which the decay starts. Not 0 where a run continues: 600 for epochs 600 to
            1000.
        last_iteration: Epoch at which the decay ends. None: the trainer's `max_epochs` at set-up.
        points: Epoch to value, only for `"piecewise"`, in place of `start`, `end` and the two iterations. The
            first value is held before the first point, the last one after the last. Two neighbouring epochs
            make a jump.
        integer: Whether to set the nearest whole number, as an int.
        log_name: Name of the logged value. None: `train/` and the target below its root
            (`train/layers.2.p`).

    Raises:
        ValueError: An argument is wrong, or does not go with the decay type; the message names it.
        MisconfigurationException: When training is set up: the target does not exist, cannot be set or
            refuses a value of the schedule, another schedule has the same target or log name, or there is no
            last iteration.

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

    _end_names: ClassVar[tuple[str, str]] = ("start", "end")
    """The class's own names for `start` and `end`, for error messages."""
    _lowest: ClassVar[float | None] = None
    """Smallest allowed start and end. None allows any number."""
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
        self.start = start
        self.end = end
        self.decay_type = decay_type
        self.first_iteration = first_iteration
        self.last_iteration = last_iteration
        self.points = points
        self.integer = integer
        self.log_name = f"train/{target.partition('.')[2]}" if log_name is None else log_name
        self._total_iterations = 1 if last_iteration is None else last_iteration - first_iteration
        """Epochs from the first iteration to the last. Set-up fixes them, because `max_epochs` may change later."""
        self._check_decay_type()
        # Computing a value checks the arguments: do it now, so that wrong ones do not wait for training.
        self._value(0, 1)

    @property
    def state_key(self) -> str:
        # Lightning's default is the class's name alone, which two instances would share.
        return f"{type(self).__qualname__}[target={self.target}]"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds the target and sets its first value, so that training does not start with a wrong target."""
        if stage == "fit":
            self._check_others(trainer)
            if self.last_iteration is None and self.decay_type not in ("piecewise", "constant"):
                self._total_iterations = self._max_epochs(trainer) - self.first_iteration
            for value in self._coming_values():
                self._target.check_number(trainer, pl_module, value)
            self._set_value(trainer, pl_module, trainer.current_epoch)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        # Lightning starts workers, or asks for a first batch, before it tells the restored epoch.
        if trainer.state.fn == TrainerFn.FITTING and (epoch := _restored_epoch(trainer, checkpoint)) is not None:
            self._set_value(trainer, pl_module, epoch)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # This is the first hook that knows the restored epoch, and the only one where a run resumes within an epoch.
        self._set_value(trainer, pl_module, trainer.current_epoch)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._set_value(trainer, pl_module, trainer.current_epoch)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Every epoch ends exactly once, even if a run resumes within it. Logging earlier would write no earlier.
        value = float(self._target.get(trainer, pl_module))
        pl_module.log(self.log_name, value, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)
        if trainer.reload_dataloaders_every_n_epochs:  # type: ignore[attr-defined]
            # No hook lies between the end of an epoch and the loader of the next one.
            self._set_value(trainer, pl_module, trainer.current_epoch + 1)

    def _set_value(self, trainer: Trainer, pl_module: LightningModule, epoch: int) -> None:
        self._target.set_number(trainer, pl_module, self._value_at(epoch))

    def _coming_values(self) -> Iterator[float]:
        """Yields the distinct values of the whole schedule, from its first epoch to its last.

        Of a very long schedule only the first epochs are looked at, because set-up should take no time.
        """
        last = self.first_iteration + self._total_iterations if self.points is None else max(self.points)
        epochs = range(self.first_iteration, min(last, self.first_iteration + _MOST_CHECKED) + 1)
        yield from dict.fromkeys(self._value_at(epoch) for epoch in (*epochs, last))

    def _value_at(self, epoch: int) -> float:
        value = self._value(epoch - self.first_iteration, self._total_iterations)
        return round(value) if self.integer else value

    def _value(self, iteration: int, total_iterations: int) -> float:
        """Returns the value at `iteration` of `total_iterations`, counted from the first iteration."""
        if self.decay_type == "piecewise":
            assert self.points is not None
            return interpolated(iteration, self.points)
        end = self.start if self.decay_type == "constant" and self.end is None else self.end
        ends = dict(zip(self._end_names, (self.start, end), strict=True))
        return decayed(iteration, total_iterations, ends, self.decay_type, self._lowest)

    def _check_decay_type(self) -> None:
        """Raises ValueError for an unknown decay type, or for an argument that the decay type does not use."""
        if self.decay_type not in self._decay_types:
            raise ValueError(
                f"decay_type={self.decay_type!r} is not a decay type: use one of {', '.join(self._decay_types)}."
            )
        if self.decay_type != "piecewise":
            if self.points is not None:
                raise ValueError(f"points={self.points!r} belong to decay_type='piecewise', not {self.decay_type!r}.")
            return
        check_points(self.points)
        start_name, end_name = self._end_names
        unused = {start_name: self.start, end_name: self.end, "last_iteration": self.last_iteration}
        given = {name: value for name, value in unused.items() if value is not None}
        if self.first_iteration != 0:
            given["first_iteration"] = self.first_iteration
        if given:
            name, value = next(iter(given.items()))
            raise ValueError(f"{name}={value!r}: with decay_type='piecewise' the points alone decide; leave it out.")

    def _max_epochs(self, trainer: Trainer) -> int:
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
                    " The later one would win silently; keep one."
                )
            if other.log_name == self.log_name:
                raise MisconfigurationException(
                    f"Two schedules log under {self.log_name!r}: those of {self._target} and {other._target}."
                    " Give one of them another log_name."
                )


def _restored_epoch(trainer: Trainer, checkpoint: dict[str, Any]) -> int | None:
    """Returns the epoch at which a run goes on from a checkpoint. None: the checkpoint does not say."""
    try:
        progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
        # Where steps bound the run, Lightning plays one more batch in an epoch that had ended.
        return int(progress["processed" if trainer.max_steps == -1 else "completed"])
    except (KeyError, TypeError):
        return None


def _check_span(first_iteration: int, last_iteration: int | None) -> None:
    if not isinstance(first_iteration, int) or first_iteration < 0:
        raise ValueError(f"first_iteration={first_iteration!r} must be an epoch: an integer of at least 0.")
    if last_iteration is not None and (not isinstance(last_iteration, int) or last_iteration <= first_iteration):
        raise ValueError(
            f"last_iteration={last_iteration!r} must be an epoch above first_iteration={first_iteration},"
            " or None for the trainer's max_epochs."
        )
