"""ScheduleCallback: any attribute, every decay type, its own arguments' errors, and a YAML of somebody else's."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger

from callbacks import EntropyScheduleCallback, ScheduleCallback, get_temperature

MakeTrainer = Callable[..., Any]


def watched(regression: Any, read: Callable[[Any], Any]) -> Any:
    """A regression that notes what it reads in the first batch of each epoch."""

    class Watched(regression):  # type: ignore[misc]
        values: tuple[Any, ...] = ()

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if batch_idx == 0:
                self.values += (read(self),)
            return super().training_step(batch, batch_idx)

    return Watched()


@pytest.mark.parametrize("decay_type", ["linear", "cosine", "exponential", "constant"])
def test_decays_as_the_functions_do(
    decay_type: Any, make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    module, logger = watched(regression, lambda module: module.learning_rate), CSVLogger(tmp_path)
    schedule = ScheduleCallback("pl_module.learning_rate", 0.8, 0.2, decay_type, first_iteration=1, last_iteration=4)
    make_trainer(schedule, max_epochs=6, logger=logger).fit(module, data)
    expected = [get_temperature(epoch - 1, 3, 0.8, 0.2, decay_type) for epoch in range(6)]
    assert list(module.values) == expected
    with open(Path(logger.log_dir) / "metrics.csv") as file:
        logged = [float(row["train/learning_rate"]) for row in csv.DictReader(file)]
    assert logged == pytest.approx(expected)


def test_a_negative_value_may_be_scheduled_but_not_decay_exponentially() -> None:
    assert ScheduleCallback("pl_module.reward", -2.0, 1.0)._value(1, 2) == -0.5
    with pytest.raises(ValueError, match=r"start=-2\.0: an exponential decay .* Give a start above 0"):
        ScheduleCallback("pl_module.reward", -2.0, 1.0, "exponential")


def test_piecewise_goes_from_point_to_point(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    """A lookup by index, an off-by-one at a point, or a run's length that matters."""
    module = watched(regression, lambda module: module.learning_rate)
    points = {5: 0.5, 1: 1.0, 3: 0.0, 6: 0.125}  # in no order, with a jump at its end
    make_trainer(
        ScheduleCallback("pl_module.learning_rate", decay_type="piecewise", points=points), max_epochs=-1, max_steps=32
    ).fit(module, data)
    assert module.values == (1.0, 1.0, 0.5, 0.0, 0.25, 0.5, 0.125, 0.125)


def test_constant_needs_a_start_alone(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    module = regression()
    schedule = ScheduleCallback("pl_module.learning_rate", 0.3, decay_type="constant")
    make_trainer(schedule, max_epochs=-1, max_steps=4).fit(module, data)
    assert module.learning_rate == 0.3


def test_whole_numbers_stay_whole(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    data.simulations = 16
    module = watched(regression, lambda module: module.trainer.datamodule.simulations)
    target = "trainer.datamodule.simulations"
    make_trainer(ScheduleCallback(target, 16, 64, integer=True, last_iteration=3), max_epochs=4).fit(module, data)
    assert module.values == (16, 32, 48, 64)
    assert all(type(value) is int for value in module.values)


@pytest.mark.parametrize(
    ("target", "read"),
    [
        ("pl_module.layers.1.p", lambda module: module.layers[1].p),
        ("pl_module.hparams.clip_range", lambda module: module.hparams["clip_range"]),
        ("pl_module.scale", lambda module: module.scale.item()),
        ("trainer.datamodule.noise", lambda module: module.trainer.datamodule.noise),
        ("trainer.gradient_clip_val", lambda module: module.trainer.gradient_clip_val),
    ],
)
def test_whatever_a_path_leads_to(
    target: str, read: Any, make_trainer: MakeTrainer, regression: Any, data: Any
) -> None:
    """A part of a module, a hyper-parameter, a buffer, the data module's, the trainer's own."""
    module = watched(regression, read)
    module.layers[1] = torch.nn.Dropout(0.5)
    module.hparams["clip_range"] = 0.5
    module.register_buffer("scale", torch.tensor(0.5))
    data.noise = None
    make_trainer(ScheduleCallback(target, 0.5, 0.25), max_epochs=2, gradient_clip_val=0.5).fit(module, data)
    assert module.values == (0.5, 0.375)


def test_the_entropy_schedule_is_one_of_them(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    """Two implementations, that would not know of each other."""
    assert issubclass(EntropyScheduleCallback, ScheduleCallback)
    trainer = make_trainer(EntropyScheduleCallback(), ScheduleCallback("pl_module.entropy_coef", 1.0, 0.0))
    with pytest.raises(MisconfigurationException, match=r"Two schedules set target='pl_module\.entropy_coef'"):
        trainer.fit(regression(), data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "start=None must be a finite number"),
        ({"start": 1.0}, "end=None must be a finite number"),
        ({"start": float("inf"), "end": 0.0}, "start=inf must be a finite number"),
        ({"start": 1.0, "end": 0.0, "decay_type": "linaer"}, "not a decay type: use one of linear, .*piecewise"),
        ({"start": 1.0, "end": 0.0, "points": {0: 1.0}}, r"points=\{0: 1\.0\} belong to decay_type='piecewise'"),
        ({"decay_type": "piecewise"}, "points=None.* give each epoch's value"),
        ({"decay_type": "piecewise", "points": {}}, r"points=\{\}"),
        ({"decay_type": "piecewise", "points": {-1: 0.5}}, "points: -1 must be an epoch"),
        ({"decay_type": "piecewise", "points": {0.5: 0.5}}, r"points: 0\.5 must be an epoch"),
        ({"decay_type": "piecewise", "points": {3: float("nan")}}, r"points\[3\]=nan must be a finite number"),
        ({"decay_type": "piecewise", "points": {0: 1.0}, "end": 0.0}, r"end=0\.0: .* the points alone decide"),
        ({"decay_type": "piecewise", "points": {0: 1.0}, "first_iteration": 2}, "first_iteration=2: .*points alone"),
        ({"target": "clip_range", "start": 1.0, "end": 0.0}, "target='clip_range' is not a dotted path"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScheduleCallback(**{"target": "pl_module.clip_range", **arguments})


def test_points_belong_to_the_general_schedule() -> None:
    with pytest.raises(ValueError, match="decay_type='piecewise' is not a decay type: use one of linear, cosine, exp"):
        EntropyScheduleCallback(decay_type="piecewise")  # type: ignore[arg-type]


YAML = """
trainer:
  callbacks:
    - class_path: callbacks.ScheduleCallback
      init_args: {target: pl_module.clip_range, start: 0.2, end: 0.1, decay_type: cosine, last_iteration: 10}
    - class_path: callbacks.ScheduleCallback
      init_args: {target: pl_module.noise, decay_type: piecewise, points: {0: 1, 10: 0.5, 11: 0.0}}
"""


def test_a_yaml_means_what_it_says_and_help_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lit"])
    (tmp_path / "config.yaml").write_text(YAML)
    options = ["--seed_everything=false", "--trainer.accelerator=cpu", "--trainer.logger=false"]
    cli = LightningCLI(BoringModel, run=False, args=["--config", str(tmp_path / "config.yaml"), *options])
    cosine, piecewise = (one for one in cli.trainer.callbacks if isinstance(one, ScheduleCallback))
    assert cosine._value(5, 10) == pytest.approx(0.15)
    assert piecewise.points == {0: 1.0, 10: 0.5, 11: 0.0}

    with pytest.raises(SystemExit):
        LightningCLI(BoringModel, run=False, args=["--trainer.callbacks.help=callbacks.ScheduleCallback"])
    text = " ".join(capsys.readouterr().out.split())
    assert "two neighbouring epochs make a jump" in text
    assert "{linear,cosine,exponential,piecewise,constant}" in text
