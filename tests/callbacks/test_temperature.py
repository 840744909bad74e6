"""TemperatureScheduleCallback: its defaults, its logged name, and its own arguments' errors."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from callbacks import TemperatureScheduleCallback


def test_defaults_drive_the_data_modules_temperature(
    make_trainer: Callable[..., Any], regression: Any, data: Any
) -> None:
    seen = []

    class Observer(regression):  # type: ignore[misc]
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            seen.append(self.trainer.datamodule.temperature)
            return super().training_step(batch, batch_idx)

    trainer = make_trainer(TemperatureScheduleCallback(), max_epochs=2)
    trainer.fit(Observer(), data)
    assert seen == [1.0] * 4 + [0.75] * 4
    assert float(trainer.callback_metrics["train/temperature"]) == 0.75


def test_reaches_memory_shared_with_other_processes(
    make_trainer: Callable[..., Any], regression: Any, data: Any
) -> None:
    shared = torch.zeros(1).share_memory_()
    data.temperature = shared
    make_trainer(TemperatureScheduleCallback(start_temp=0.5)).fit(regression(), data)
    assert data.temperature is shared
    assert shared.item() == 0.5


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
def test_no_data_module(make_trainer: Callable[..., Any], regression: Any, data: Any) -> None:
    with pytest.raises(MisconfigurationException, match=r"'trainer\.datamodule' is None, so it has no 'temperature'"):
        make_trainer(TemperatureScheduleCallback()).fit(regression(), data.train_dataloader())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start_temp": -1.0}, r"start_temp=-1\.0 must be"),
        ({"end_temp": float("inf")}, "end_temp=inf must be"),
        ({"decay_type": "step"}, "decay_type='step' is not a decay type"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TemperatureScheduleCallback(**arguments)


def test_log_name_follows_the_target() -> None:
    assert TemperatureScheduleCallback().log_name == "train/temperature"
    assert TemperatureScheduleCallback(target="pl_module.policy.tau").log_name == "train/policy.tau"
