"""Lightning callbacks for any project: schedules of any attribute, adaptive opponents, gradient norms."""

from callbacks.adaptive_opponents import AdaptiveOpponentCallback
from callbacks.entropy import EntropyScheduleCallback
from callbacks.grad_norm import GradNormCallback
from callbacks.schedule_callback import ScheduleCallback
from callbacks.schedules import DecayType, ScheduleType, get_entropy_coef, get_temperature
from callbacks.temperature import TemperatureScheduleCallback

__all__ = [
    "AdaptiveOpponentCallback",
    "DecayType",
    "EntropyScheduleCallback",
    "GradNormCallback",
    "ScheduleCallback",
    "ScheduleType",
    "TemperatureScheduleCallback",
    "get_entropy_coef",
    "get_temperature",
]
