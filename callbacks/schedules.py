"""Schedules as pure functions of the iteration."""

import math
from numbers import Real
from typing import Literal, get_args

DecayType = Literal["linear", "cosine", "exponential", "constant"]
"""The decay types there are: errors, `--help` and the type checker all read them from here."""


def get_entropy_coef(
    iteration: int,
    total_iterations: int,
    start_coef: float = 0.04,
    end_coef: float = 0.01,
    decay_type: DecayType = "linear",
) -> float:
    """The coefficient of an entropy bonus at one iteration.

    Args:
        iteration: Iterations done so far. Before 0 the start is held, from `total_iterations` on the end.
        total_iterations: Iterations from the start to the end of the decay, more than 0.
        start_coef: Coefficient at iteration 0, at least 0.
        end_coef: Coefficient at `total_iterations`, at least 0.
        decay_type: `"linear"`, `"cosine"` (half a cosine: slow, fast, slow), `"exponential"` (the same factor
            every iteration) or `"constant"` (`start_coef` throughout).

    Raises:
        ValueError: An argument is not a finite number, is negative, or names no decay type; or an exponential
            decay starts or ends at zero.

    Example:
        >>> [round(get_entropy_coef(iteration, 400), 4) for iteration in (-1, 0, 100, 200, 400, 500)]
        [0.04, 0.04, 0.0325, 0.025, 0.01, 0.01]
        >>> round(get_entropy_coef(200, 400, decay_type="exponential"), 4)
        0.02
    """
    return _scheduled(iteration, total_iterations, {"start_coef": start_coef, "end_coef": end_coef}, decay_type)


def get_temperature(
    iteration: int,
    total_iterations: int,
    start_temp: float = 1.0,
    end_temp: float = 0.5,
    decay_type: DecayType = "linear",
) -> float:
    """The temperature at which actions are sampled at one iteration.

    Args:
        iteration: Iterations done so far. Before 0 the start is held, from `total_iterations` on the end.
        total_iterations: Iterations from the start to the end of the decay, more than 0.
        start_temp: Temperature at iteration 0, at least 0 (0 is greedy).
        end_temp: Temperature at `total_iterations`, at least 0.
        decay_type: As in `get_entropy_coef`.

    Raises:
        ValueError: As `get_entropy_coef`.

    Example:
        >>> [get_temperature(iteration, 400) for iteration in (0, 200, 400)]
        [1.0, 0.75, 0.5]
        >>> round(get_temperature(100, 400, decay_type="cosine"), 4)
        0.9268
    """
    return _scheduled(iteration, total_iterations, {"start_temp": start_temp, "end_temp": end_temp}, decay_type)


def _scheduled(iteration: int, total_iterations: int, ends: dict[str, float], decay_type: DecayType) -> float:
    """The decay between two named ends, once every argument has been checked."""
    valid_types = get_args(DecayType)
    if decay_type not in valid_types:
        raise ValueError(f"decay_type={decay_type!r} is not a decay type: use one of {', '.join(valid_types)}.")
    if not _is_finite(iteration):
        raise ValueError(f"iteration={iteration!r} must be a finite number.")
    if not _is_finite(total_iterations) or total_iterations <= 0:
        raise ValueError(f"total_iterations={total_iterations!r} must be a finite number above 0.")
    for name, value in ends.items():
        if not _is_finite(value) or value < 0:
            raise ValueError(f"{name}={value!r} must be a finite number of at least 0.")
        if decay_type == "exponential" and value == 0:
            raise ValueError(
                f"{name}={value!r}: an exponential decay multiplies by the same factor every iteration, so"
                f" it cannot leave or reach zero. Give a {name} above 0, or decay_type='linear' or 'cosine'."
            )
    start, end = ends.values()
    return _decay(float(start), float(end), iteration / total_iterations, decay_type)


def _decay(start: float, end: float, progress: float, decay_type: DecayType) -> float:
    """The value between `start` and `end` at `progress`, held below 0 and above 1."""
    if progress <= 0:
        return start
    # Past the end the formulas would round: 0.04 + (0.01 - 0.04) is not 0.01.
    if progress >= 1 and decay_type != "constant":
        return end
    match decay_type:
        case "linear":
            return start + (end - start) * progress
        case "cosine":
            return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
        case "exponential":
            return math.pow(start, 1 - progress) * math.pow(end, progress)
        case "constant":
            return start


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
