"""What all schedule callbacks share: they set one attribute from the epoch, and log it."""

from abc import ABC, abstractmethod

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks._targets import Target


class BaseScheduleCallback(Callback, ABC):
    """Sets one number at the start of every epoch, as a pure function of `trainer.current_epoch`.

    There is no state: after a resume the arguments given now and the restored epoch decide alone. A subclass
    sets what its schedule needs before it calls this constructor, which tries the schedule out.

    Args:
        first_iteration: Epoch at which the schedule starts.
        last_iteration: Epoch at which it ends; None for the trainer's `max_epochs`.
        target: Dotted path of the attribute.
        log_name: Name of the logged value; None for `train/` and the target below its root.

    Raises:
        ValueError: An argument is wrong; the message names it.
    """

    def __init__(self, first_iteration: int, last_iteration: int | None, target: str, log_name: str | None) -> None:
        super().__init__()
        if not isinstance(first_iteration, int) or first_iteration < 0:
            raise ValueError(f"first_iteration={first_iteration!r} must be an epoch: an integer of at least 0.")
        if last_iteration is not None and (not isinstance(last_iteration, int) or last_iteration <= first_iteration):
            raise ValueError(
                f"last_iteration={last_iteration!r} must be an epoch above first_iteration={first_iteration},"
                " or None for the trainer's max_epochs."
            )
        self.first_iteration = first_iteration
        self.last_iteration = last_iteration
        self.target = target
        self.log_name = f"train/{target.partition('.')[2]}" if log_name is None else log_name
        self._target = Target(target)
        # The schedule checks its own arguments: ask once now, so that wrong ones do not wait for training.
        self._value(0, 1)

    @abstractmethod
    def _value(self, iteration: int, total_iterations: int) -> float:
        """The value at `iteration` of `total_iterations`, counted from the first iteration."""

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
        value = self._current_value(trainer)
        pl_module.log(self.log_name, value, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)

    def _set_value(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._target.set_number(trainer, pl_module, self._current_value(trainer))

    def _current_value(self, trainer: Trainer) -> float:
        total_iterations = self._resolve_last_iteration(trainer) - self.first_iteration
        return self._value(trainer.current_epoch - self.first_iteration, total_iterations)

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
            if other is self or not isinstance(other, BaseScheduleCallback):
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
