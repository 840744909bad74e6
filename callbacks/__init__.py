"""Lightning callbacks for any project: schedules of any attribute, adaptive opponents, checks of gradients."""

from callbacks.adaptive_opponents import AdaptiveOpponentCallback
from callbacks.entropy import EntropyScheduleCallback
from callbacks.grad_norm import GradNormCallback
from callbacks.non_finite import NonFiniteCallback, NonFiniteError
from callbacks.schedule_callback import ScheduleCallback
from callbacks.schedules import DecayType, ScheduleType, get_entropy_coef, get_temperature
from callbacks.temperature import TemperatureScheduleCallback

__all__ = [
    "AdaptiveOpponentCallback",
    "DecayType",
    "EntropyScheduleCallback",
    "GradNormCallback",
    "NonFiniteCallback",
    "NonFiniteError",
    "ScheduleCallback",
    "ScheduleType",
    "TemperatureScheduleCallback",
    "get_entropy_coef",
    "get_temperature",
]
