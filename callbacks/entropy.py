"""Schedules the coefficient of an entropy bonus."""

from typing import ClassVar, get_args

from callbacks.schedule_callback import ScheduleCallback
from callbacks.schedules import DecayType

_TARGET = "pl_module.entropy_coef"
_LOG_NAME = "train/entropy_coef"


class EntropyScheduleCallback(ScheduleCallback):
    """Sets the coefficient of an entropy bonus at the start of every epoch.

    The value is `get_entropy_coef` at `current_epoch - first_iteration` of `last_iteration -
    first_iteration`, so it depends on the epoch alone: a resumed run continues the schedule, and new
    arguments take effect at once. It is logged as `train/entropy_coef` at the end of its epoch.

    Args:
        start_coef: Coefficient until `first_iteration`, at least 0.
        end_coef: Coefficient from `last_iteration` on, at least 0.
        decay_type: Shape of the way from start to end, as `get_entropy_coef` explains them.
        first_iteration: Epoch at which the decay starts. Not 0 where a run continues: 600 for epochs 600 to
            1000.
        last_iteration: Epoch at which the decay ends. None: the trainer's `max_epochs` at set-up.
        target: Dotted path of the attribute, from `pl_module` or `trainer`. It has to exist when training is
            set up (after the data module's `setup`, before the module's) and hold a number, a one-element
            tensor or None.
        log_name: Name of the logged value. None: `train/entropy_coef`; with another target, `train/` and
            the target below its root (`train/actor.entropy_coef`).

    Raises:
        ValueError: An argument is wrong; the message names it.
        MisconfigurationException: When training is set up: the target does not exist, cannot be set or
            refuses a value of the schedule, another schedule has the same target or log name, or there is no
            last iteration.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning.pytorch.demos.boring_classes import BoringModel
        >>> model = BoringModel()
        >>> model.entropy_coef = 0.0
        >>> schedule = EntropyScheduleCallback(start_coef=0.04, end_coef=0.0)
        >>> trainer = Trainer(max_epochs=2, limit_train_batches=1, callbacks=[schedule], barebones=True)
        >>> trainer.fit(model)
        >>> model.entropy_coef
        0.02
    """

    _end_names: ClassVar[tuple[str, str]] = ("start_coef", "end_coef")
    _lowest: ClassVar[float | None] = 0.0
    _decay_types: ClassVar[tuple[str, ...]] = get_args(DecayType)

    def __init__(
        self,
        start_coef: float = 0.04,
        end_coef: float = 0.01,
        decay_type: DecayType = "linear",
        first_iteration: int = 0,
        last_iteration: int | None = None,
        target: str = _TARGET,
        log_name: str | None = None,
    ) -> None:
        if log_name is None and target == _TARGET:
            log_name = _LOG_NAME
        super().__init__(target, start_coef, end_coef, decay_type, first_iteration, last_iteration, log_name=log_name)

    @property
    def start_coef(self) -> float:
        """Returns the coefficient until `first_iteration`."""
        assert self.start is not None
        return self.start

    @property
    def end_coef(self) -> float:
        """Returns the coefficient from `last_iteration` on."""
        assert self.end is not None
        return self.end
