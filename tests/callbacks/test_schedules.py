"""The schedules as functions: shapes, ends, and what they refuse."""

import math
from typing import Any, get_args

import pytest

from callbacks import DecayType, get_entropy_coef, get_temperature
from callbacks.schedules import _SHAPES

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("decay_type", "quarter", "half"),
    [
        ("linear", 0.0325, 0.025),
        ("cosine", 0.01 + 0.03 * (1 + math.sqrt(0.5)) / 2, 0.025),
        ("exponential", 0.04 * 0.25**0.25, 0.02),
        ("constant", 0.04, 0.04),
    ],
)
def test_value_on_the_way(decay_type: DecayType, quarter: float, half: float) -> None:
    assert get_entropy_coef(100, 400, decay_type=decay_type) == pytest.approx(quarter, rel=1e-12)
    assert get_entropy_coef(200, 400, decay_type=decay_type) == pytest.approx(half, rel=1e-12)


def test_every_decay_type_has_a_shape() -> None:
    assert tuple(_SHAPES) == get_args(DecayType)


@pytest.mark.parametrize("decay_type", get_args(DecayType))
def test_ends_are_exact_and_held(decay_type: DecayType) -> None:
    end = 0.04 if decay_type == "constant" else 0.01
    values = [get_entropy_coef(i, 400, 0.04, 0.01, decay_type) for i in (-50, 0, 400, 10_000)]
    assert values == [0.04, 0.04, end, end]


@pytest.mark.parametrize("decay_type", ["linear", "cosine", "exponential"])
@pytest.mark.parametrize(("start", "end"), [(1.0, 0.5), (0.5, 1.0)])
def test_moves_one_way_without_passing_the_ends(decay_type: DecayType, start: float, end: float) -> None:
    values = [get_temperature(i, 37, start, end, decay_type) for i in range(38)]
    assert values == sorted(values, reverse=start > end)
    assert len(set(values)) == 38
    assert {values[0], values[-1]} == {start, end}


def test_defaults_are_the_plans() -> None:
    assert (get_entropy_coef(0, 1), get_entropy_coef(1, 1)) == (0.04, 0.01)
    assert (get_temperature(0, 1), get_temperature(1, 1)) == (1.0, 0.5)


def test_zero_is_an_end_unless_exponential() -> None:
    assert get_temperature(4, 4, end_temp=0.0, decay_type="cosine") == 0.0
    for argument in ("start_temp", "end_temp"):
        with pytest.raises(ValueError, match=rf"{argument}=0\.0: an exponential decay .* zero.*'linear'"):
            get_temperature(0, 4, **{argument: 0.0}, decay_type="exponential")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-0.1, NAN, INF, -INF, "high", None, True])
@pytest.mark.parametrize("argument", ["start_coef", "end_coef"])
def test_bad_coefficient_is_named(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{argument}={value!r} must be a finite number of at least 0"):
        get_entropy_coef(0, 10, **{argument: value})


@pytest.mark.parametrize("value", [-0.1, NAN])
@pytest.mark.parametrize("argument", ["start_temp", "end_temp"])
def test_bad_temperature_is_named(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{argument}={value!r} must be a finite number of at least 0"):
        get_temperature(0, 10, **{argument: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("total", [0, -1, NAN, INF, None])
def test_bad_total_is_named(total: Any) -> None:
    with pytest.raises(ValueError, match=rf"total_iterations={total!r} must be a finite number above 0"):
        get_entropy_coef(0, total)


@pytest.mark.parametrize("iteration", [NAN, INF, None])
def test_bad_iteration_is_named(iteration: Any) -> None:
    with pytest.raises(ValueError, match=rf"iteration={iteration!r} must be a finite number\."):
        get_temperature(iteration, 10)


@pytest.mark.parametrize("decay_type", ["quadratic", "", None, ["linear"]])
def test_unknown_decay_type_lists_the_valid_ones(decay_type: Any) -> None:
    with pytest.raises(ValueError, match="is not a decay type: use one of") as error:
        get_entropy_coef(0, 10, decay_type=decay_type)
    assert f"decay_type={decay_type!r}" in str(error.value)
    assert all(name in str(error.value) for name in get_args(DecayType))
