"""Computes schedules as pure functions of the iteration."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Literal, get_args

DecayType = Literal["linear", "cosine", "exponential", "constant"]
"""The ways from the start to the end. Errors, `--help` and the type checker read them from here.

A new one needs its name here, its function in `_SHAPES`, its values in tests/callbacks/test_schedules.py and a row
in docs/callbacks.md.
"""

ScheduleType = Literal[DecayType, "piecewise"]
"""Types that `ScheduleCallback` takes: a decay, or straight lines from point to point."""


def _linear(start: float, end: float, progress: float) -> float:
    return start + (end - start) * progress


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def _exponential(start: float, end: float, progress: float) -> float:
    return math.pow(start, 1 - progress) * math.pow(end, progress)


def _constant(start: float, end: float, progress: float) -> float:
    return start


_SHAPES: dict[DecayType, Callable[[float, float, float], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "exponential": _exponential,
    "constant": _constant,
}
"""Decay type to function of start, end and progress (above 0, below 1)."""


def get_entropy_coef(
    iteration: int,
    total_iterations: int,
    start_coef: float = 0.04,
    end_coef: float = 0.01,
    decay_type: DecayType = "linear",
) -> float:
    """Returns the coefficient of an entropy bonus at one iteration.

    Args:
        iteration: Iterations done so far. The start is held before 0, the end from `total_iterations` on.
        total_iterations: Iterations from the start to the end of the decay, more than 0.
        start_coef: Coefficient at iteration 0, at least 0.
        end_coef: Coefficient at `total_iterations`, at least 0.
        decay_type: Shape of the way from start to end: `"linear"`, `"cosine"` (half a cosine: slow, fast,
            slow), `"exponential"` (the same factor every iteration) or `"constant"` (`start_coef` throughout).

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
    """Returns the temperature at which actions are sampled at one iteration.

    Args:
        iteration: Iterations done so far. The start is held before 0, the end from `total_iterations` on.
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
    """Checks every argument, then returns the value on the way between two named ends.

    Args:
        iteration: Iterations done so far.
        total_iterations: Iterations from the start to the end of the decay, more than 0.
        ends: Start and end, in this order, under the names of the user's arguments.
        decay_type: As in `get_entropy_coef`.
        lowest: Smallest allowed end. None allows any number.

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
    if iteration <= 0:
        return float(start)
    # Past the end the formulas would round: 0.04 + (0.01 - 0.04) is not 0.01.
    if iteration >= total_iterations and decay_type != "constant":
        return float(end)
    return _SHAPES[decay_type](float(start), float(end), iteration / total_iterations)


def interpolated(iteration: int, points: Mapping[int, float]) -> float:
    """Returns the value at one iteration on straight lines from point to point.

    The first value is held before the first point, the last one after the last.

    Args:
        iteration: Iterations done so far.
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
    """Raises ValueError unless `points` maps at least one iteration to a finite number."""
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


def is_finite(value: object) -> bool:
    """Returns whether the value is a number (a bool is not), and neither infinite nor NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
