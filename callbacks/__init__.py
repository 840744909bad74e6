"""Lightning callbacks for any project: two schedules, adaptive opponents, gradient norms."""

from callbacks.adaptive_opponents import AdaptiveOpponentCallback
from callbacks.entropy import EntropyScheduleCallback
from callbacks.grad_norm import GradNormCallback
from callbacks.schedules import DecayType, get_entropy_coef, get_temperature
from callbacks.temperature import TemperatureScheduleCallback

__all__ = [
    "AdaptiveOpponentCallback",
    "DecayType",
    "EntropyScheduleCallback",
    "GradNormCallback",
    "TemperatureScheduleCallback",
    "get_entropy_coef",
    "get_temperature",
]
