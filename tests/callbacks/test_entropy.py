"""EntropyScheduleCallback: its defaults, its logged name, and its own arguments' errors."""

from collections.abc import Callable
from typing import Any

import pytest

from callbacks import EntropyScheduleCallback


def test_defaults_drive_the_modules_coefficient(make_trainer: Callable[..., Any], regression: Any, data: Any) -> None:
    module = regression()
    trainer = make_trainer(EntropyScheduleCallback(), max_epochs=3)
    trainer.fit(module, data)
    assert [value for _, value in module.seen[::4]] == pytest.approx([0.04, 0.03, 0.02], rel=1e-12)
    assert float(trainer.callback_metrics["train/entropy_coef"]) == pytest.approx(0.02)


def test_decays_over_the_epochs_of_a_continued_run() -> None:
    schedule = EntropyScheduleCallback(first_iteration=600, last_iteration=1000)
    values = [schedule._value_at(epoch) for epoch in (0, 600, 800, 1000)]
    assert values == pytest.approx([0.04, 0.04, 0.025, 0.01], rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start_coef": -1.0}, r"start_coef=-1\.0 must be"),
        ({"end_coef": float("nan")}, "end_coef=nan must be"),
        ({"decay_type": "linaer"}, "decay_type='linaer' is not a decay type"),
        ({"end_coef": 0.0, "decay_type": "exponential"}, r"end_coef=0\.0: an exponential decay"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EntropyScheduleCallback(**arguments)


def test_log_name_follows_the_target() -> None:
    assert EntropyScheduleCallback().log_name == "train/entropy_coef"
    assert EntropyScheduleCallback(target="pl_module.actor.beta").log_name == "train/actor.beta"
    assert EntropyScheduleCallback(target="pl_module.actor.beta", log_name="beta").log_name == "beta"
