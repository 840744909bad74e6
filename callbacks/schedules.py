"""Schedules as pure functions of the iteration."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from numbers import Real
from typing import Literal, get_args

DecayType = Literal["linear", "cosine", "exponential", "constant"]
"""The decay types there are: errors, `--help` and the type checker all read them from here."""

ScheduleType = Literal["linear", "cosine", "exponential", "piecewise", "constant"]
"""Those of `ScheduleCallback`, which can also go from point to point."""


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
    return decayed(iteration, total_iterations, {"start_coef": start_coef, "end_coef": end_coef}, decay_type, 0.0)


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
    return decayed(iteration, total_iterations, {"start_temp": start_temp, "end_temp": end_temp}, decay_type, 0.0)


def decayed(
    iteration: int,
    total_iterations: int,
    ends: Mapping[str, float | None],
    decay_type: DecayType,
    lowest: float | None = None,
) -> float:
    """The decay between two named ends, once every argument has been checked.

    Args:
        iteration: Iterations done so far.
        total_iterations: Iterations from the start to the end of the decay, more than 0.
        ends: Start and end, in this order, under the names the user knows them by.
        decay_type: As in `get_entropy_coef`.
        lowest: The least that an end may be; None for any number.

    Raises:
        ValueError: As `get_entropy_coef`.
    """
    valid_types = get_args(DecayType)
    if decay_type not in valid_types:
        raise ValueError(f"decay_type={decay_type!r} is not a decay type: use one of {', '.join(valid_types)}.")
    if not is_finite(iteration):
        raise ValueError(f"iteration={iteration!r} must be a finite number.")
    if not is_finite(total_iterations) or total_iterations <= 0:
        raise ValueError(f"total_iterations={total_iterations!r} must be a finite number above 0.")
    for name, value in ends.items():
        if value is None or not is_finite(value) or (lowest is not None and value < lowest):
            at_least = "" if lowest is None else f" of at least {lowest:g}"
            raise ValueError(f"{name}={value!r} must be a finite number{at_least}.")
        if decay_type == "exponential" and value <= 0:
            raise ValueError(
                f"{name}={value!r}: an exponential decay multiplies by the same factor every iteration, so"
                f" it cannot leave, reach or pass zero. Give a {name} above 0, or decay_type='linear' or 'cosine'."
            )
    start, end = ends.values()
    assert start is not None and end is not None
    return _decay(float(start), float(end), iteration / total_iterations, decay_type)


def interpolated(iteration: int, points: Mapping[int, float]) -> float:
    """The value at one iteration on the straight lines from point to point, held before the first and after the last.

    Args:
        iteration: The iteration.
        points: Iteration to value, as `check_points` accepts them.

    Example:
        >>> [interpolated(iteration, {2: 1.0, 4: 0.5, 5: 0.1}) for iteration in (0, 2, 3, 4, 5, 9)]
        [1.0, 1.0, 0.75, 0.5, 0.1, 0.1]
    """
    iterations = sorted(points)
    after = bisect_right(iterations, iteration)
    if after == 0:
        return float(points[iterations[0]])
    before = iterations[after - 1]
    if after == len(iterations):
        return float(points[before])
    share = (iteration - before) / (iterations[after] - before)
    return float(points[before] + (points[iterations[after]] - points[before]) * share)


def check_points(points: object) -> None:
    """Raise ValueError unless `points` maps at least one iteration to a finite number."""
    if not isinstance(points, Mapping) or not points:
        raise ValueError(
            f"points={points!r}: decay_type='piecewise' goes from point to point; give each epoch's value, as in"
            " {0: 0.1, 50: 0.02}."
        )
    for iteration, value in points.items():
        if isinstance(iteration, bool) or not isinstance(iteration, int) or iteration < 0:
            raise ValueError(f"points: {iteration!r} must be an epoch: an integer of at least 0.")
        if not is_finite(value):
            raise ValueError(f"points[{iteration}]={value!r} must be a finite number.")


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


def is_finite(value: object) -> bool:
    """Whether it is a number (True is none), and neither infinite nor NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
