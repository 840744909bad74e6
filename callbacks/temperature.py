"""Schedules the temperature at which actions are sampled."""

from typing import ClassVar, get_args

from callbacks.schedule_callback import ScheduleCallback
from callbacks.schedules import DecayType

_TARGET = "trainer.datamodule.temperature"
_LOG_NAME = "train/temperature"


class TemperatureScheduleCallback(ScheduleCallback):
    """Sets the temperature at which actions are sampled at the start of every epoch.

    The value is `get_temperature` at `current_epoch - first_iteration` of `last_iteration - first_iteration`,
    and is logged as `train/temperature`. Everything else is as in `EntropyScheduleCallback`.

    Args:
        start_temp: Temperature until `first_iteration`, at least 0 (0 is greedy).
        end_temp: Temperature from `last_iteration` on, at least 0.
        decay_type: Shape of the way from start to end, as `get_entropy_coef` explains them.
        first_iteration: Epoch at which the decay starts. Not 0 where a run continues: 600 for epochs 600 to
            1000.
        last_iteration: Epoch at which the decay ends. None: the trainer's `max_epochs` at set-up.
        target: Dotted path of the attribute, from `pl_module` or `trainer`. It has to exist when training is
            set up (after the data module's `setup`, before the module's) and hold a number, a one-element
            tensor or None.
        log_name: Name of the logged value. None: `train/temperature`; with another target, `train/` and
            the target below its root (`train/policy.temperature`).

    Raises:
        ValueError: An argument is wrong; the message names it.
        MisconfigurationException: When training is set up: the target does not exist, cannot be set or
            refuses a value of the schedule, another schedule has the same target or log name, or there is no
            last iteration.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel
        >>> data = BoringDataModule()
        >>> data.temperature = None
        >>> schedule = TemperatureScheduleCallback(start_temp=1.0, end_temp=0.5)
        >>> trainer = Trainer(max_epochs=2, limit_train_batches=1, callbacks=[schedule], barebones=True)
        >>> trainer.fit(BoringModel(), data)
        >>> data.temperature
        0.75
    """

    _end_names: ClassVar[tuple[str, str]] = ("start_temp", "end_temp")
    _lowest: ClassVar[float | None] = 0.0
    _decay_types: ClassVar[tuple[str, ...]] = get_args(DecayType)

    def __init__(
        self,
        start_temp: float = 1.0,
        end_temp: float = 0.5,
        decay_type: DecayType = "linear",
        first_iteration: int = 0,
        last_iteration: int | None = None,
        target: str = _TARGET,
        log_name: str | None = None,
    ) -> None:
        if log_name is None and target == _TARGET:
            log_name = _LOG_NAME
        super().__init__(target, start_temp, end_temp, decay_type, first_iteration, last_iteration, log_name=log_name)

    @property
    def start_temp(self) -> float:
        """Returns the temperature until `first_iteration`."""
        assert self.start is not None
        return self.start

    @property
    def end_temp(self) -> float:
        """Returns the temperature from `last_iteration` on."""
        assert self.end is not None
        return self.end
