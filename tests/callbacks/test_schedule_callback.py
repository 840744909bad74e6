"""ScheduleCallback: values by epoch, resumes, any attribute, and errors at set-up.

The first part shows on the entropy schedule what all of them do.
"""

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, IterableDataset

from callbacks import (
    DecayType,
    EntropyScheduleCallback,
    ScheduleCallback,
    ScheduleType,
    TemperatureScheduleCallback,
    get_entropy_coef,
    get_temperature,
)

MakeTrainer = Callable[..., Any]


def expected(epochs: range, total: int, **arguments: Any) -> list[tuple[int, float]]:
    """Returns the values that four batches per epoch should see."""
    return [(epoch, get_entropy_coef(epoch, total, **arguments)) for epoch in epochs for _ in range(4)]


def rows(directory: Path, name: str) -> list[float]:
    with open(directory / "metrics.csv") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


@pytest.mark.parametrize("decay_type", get_args(DecayType))
def test_every_batch_sees_its_epochs_value(
    decay_type: Any, make_trainer: MakeTrainer, regression: Any, data: Any
) -> None:
    module = regression()
    make_trainer(EntropyScheduleCallback(decay_type=decay_type), max_epochs=5).fit(module, data)
    assert module.seen == expected(range(5), 5, decay_type=decay_type)


def test_window_is_held_before_and_after(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    module = regression()
    schedule = EntropyScheduleCallback(0.04, 0.0, first_iteration=2, last_iteration=4)
    make_trainer(schedule, max_epochs=6).fit(module, data)
    assert [value for _, value in module.seen[::4]] == [0.04, 0.04, 0.04, 0.02, 0.0, 0.0]


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
def test_value_is_there_before_the_first_batch_is_made(make_trainer: MakeTrainer, regression: Any) -> None:
    module, made = regression(), []

    class Stream(IterableDataset):  # type: ignore[type-arg]  # no length: its first batch is fetched early
        def __iter__(self) -> Any:
            for _ in range(3):
                made.append(module.entropy_coef)
                yield torch.zeros(3), torch.zeros(1)

    make_trainer(EntropyScheduleCallback(0.4, 0.0), max_epochs=2).fit(module, DataLoader(Stream()))
    assert made == [0.4] * 3 + [0.2] * 3


def test_resumes_at_the_right_value(make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path) -> None:
    schedule = EntropyScheduleCallback(last_iteration=6)
    first = make_trainer(schedule, max_epochs=3)
    first.fit(regression(), data)
    first.save_checkpoint(tmp_path / "stopped.ckpt")

    module = regression()
    resumed = make_trainer(EntropyScheduleCallback(), max_epochs=6)
    resumed.fit(module, data, ckpt_path=tmp_path / "stopped.ckpt")
    assert module.seen == expected(range(3, 6), 6)


def test_new_arguments_win_over_the_checkpoint(
    make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    first = make_trainer(EntropyScheduleCallback(0.04, 0.01), max_epochs=3)
    first.fit(regression(), data)
    first.save_checkpoint(tmp_path / "stopped.ckpt")

    module = regression()
    schedule = EntropyScheduleCallback(0.8, 0.2, "cosine", first_iteration=3, last_iteration=6)
    make_trainer(schedule, max_epochs=6).fit(module, data, ckpt_path=tmp_path / "stopped.ckpt")
    values = [get_entropy_coef(i, 3, 0.8, 0.2, "cosine") for i in range(3)]
    assert [value for _, value in module.seen[::4]] == values


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to create the checkpoint")
@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
def test_resumes_within_an_epoch(make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=6, save_top_k=-1)
    make_trainer(EntropyScheduleCallback(), save, max_epochs=3, enable_checkpointing=True).fit(regression(), data)

    module, logger = regression(), CSVLogger(tmp_path, name="resumed")
    resumed = make_trainer(EntropyScheduleCallback(), max_epochs=3, logger=logger)
    resumed.fit(module, data, ckpt_path=tmp_path / "step=6.ckpt")
    assert module.seen == expected(range(3), 3)[6:]
    epochs_ended = [get_entropy_coef(epoch, 3) for epoch in (1, 2)]
    assert rows(Path(logger.log_dir), "train/entropy_coef") == pytest.approx(epochs_ended)


def test_keeps_nothing_in_the_checkpoint(make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path) -> None:
    trainer = make_trainer(EntropyScheduleCallback(), TemperatureScheduleCallback())
    trainer.fit(regression(), data)
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    assert torch.load(tmp_path / "end.ckpt", weights_only=True)["callbacks"] == {}


def test_two_of_a_kind(make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path) -> None:
    module, logger = regression(), CSVLogger(tmp_path)
    module.layers.entropy_coef = None
    schedules = [
        EntropyScheduleCallback(0.04, 0.0),
        EntropyScheduleCallback(0.8, 0.4, target="pl_module.layers.entropy_coef"),
        EntropyScheduleCallback(0.2, 0.1, target="pl_module.learning_rate", log_name="rate"),
    ]
    assert len({schedule.state_key for schedule in schedules}) == 3
    trainer = make_trainer(*schedules, max_epochs=2, logger=logger)
    trainer.fit(module, data)
    assert (module.entropy_coef, module.layers.entropy_coef) == (0.02, pytest.approx(0.6))
    directory = Path(logger.log_dir)
    assert rows(directory, "train/entropy_coef") == pytest.approx([0.04, 0.02])
    assert rows(directory, "train/layers.entropy_coef") == pytest.approx([0.8, 0.6])
    assert rows(directory, "rate") == pytest.approx([0.2, 0.15])

    trainer.save_checkpoint(tmp_path / "two.ckpt")
    resumed, halves = regression(), [EntropyScheduleCallback(0.08, 0.0), schedules[1]]
    resumed.layers.entropy_coef = None
    make_trainer(*halves, max_epochs=4).fit(resumed, data, ckpt_path=tmp_path / "two.ckpt")
    assert (resumed.entropy_coef, resumed.layers.entropy_coef) == pytest.approx((0.02, 0.5))


def test_two_schedules_of_one_target(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    trainer = make_trainer(
        EntropyScheduleCallback(), TemperatureScheduleCallback(target="pl_module.entropy_coef", log_name="t")
    )
    with pytest.raises(MisconfigurationException, match=r"Two schedules set target='pl_module\.entropy_coef'"):
        trainer.fit(regression(), data)


def test_two_schedules_of_one_log_name(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    schedules = [
        EntropyScheduleCallback(),
        EntropyScheduleCallback(target="pl_module.learning_rate", log_name="train/entropy_coef"),
    ]
    with pytest.raises(MisconfigurationException, match="Two schedules log under 'train/entropy_coef'"):
        make_trainer(*schedules).fit(regression(), data)


def test_wrong_target_is_said_before_training(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    module = regression()
    trainer = make_trainer(EntropyScheduleCallback(target="pl_module.entropy_coeff"))
    with pytest.raises(
        MisconfigurationException, match=r"Regression and has no attribute 'entropy_coeff'.*'entropy_coef'"
    ):
        trainer.fit(module, data)
    assert module.seen == []


def test_the_target_may_come_from_the_data_modules_setup(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    data.setup = lambda stage: setattr(data, "coefficient", 0.0)
    make_trainer(EntropyScheduleCallback(target="trainer.datamodule.coefficient")).fit(regression(), data)
    assert data.coefficient == 0.04


@pytest.mark.parametrize("max_epochs", [-1, 3])
def test_no_last_iteration(max_epochs: int, make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    trainer = make_trainer(EntropyScheduleCallback(first_iteration=3), max_epochs=max_epochs, max_steps=2)
    with pytest.raises(MisconfigurationException, match=rf"max_epochs, which is {max_epochs} .* Give last_iteration"):
        trainer.fit(regression(), data)


def test_endless_run_with_a_last_iteration(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    module = regression()
    schedule = EntropyScheduleCallback(last_iteration=2)
    make_trainer(schedule, max_epochs=-1, max_steps=12).fit(module, data)
    assert module.seen == expected(range(3), 2)


def test_validation_alone_changes_nothing(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    module = regression()
    schedule = EntropyScheduleCallback(target="pl_module.entropy_coef", last_iteration=1)
    make_trainer(schedule, limit_val_batches=1).validate(module, data, verbose=False)
    assert module.entropy_coef == -1.0


def test_later_callbacks_see_the_new_value(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    seen = []

    class Reader(Callback):
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            seen.append(pl_module.entropy_coef)

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            seen.append(pl_module.entropy_coef)

    make_trainer(EntropyScheduleCallback(0.4, 0.0), Reader(), max_epochs=2).fit(regression(), data)
    assert seen == [0.4, 0.4, 0.2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first_iteration": -1}, "first_iteration=-1 must be an epoch: an integer of at least 0"),
        ({"first_iteration": 0.5}, r"first_iteration=0\.5 must be an epoch"),
        ({"last_iteration": 0}, "last_iteration=0 must be an epoch above first_iteration=0"),
        (
            {"first_iteration": 5, "last_iteration": 5},
            "last_iteration=5 must be an epoch above first_iteration=5",
        ),
        ({"last_iteration": float("nan")}, "last_iteration=nan must be an epoch"),
        ({"target": "entropy_coef"}, "target='entropy_coef' is not a dotted path"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EntropyScheduleCallback(**arguments)


# ---------------------------------------------------------------------- any attribute, any way


def watched(regression: Any, read: Callable[[Any], Any]) -> Any:
    """Returns a regression that notes what it reads in the first batch of each epoch."""

    class Watched(regression):  # type: ignore[misc]
        values: tuple[Any, ...] = ()

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if batch_idx == 0:
                self.values += (read(self),)
            return super().training_step(batch, batch_idx)

    return Watched()


@pytest.mark.parametrize("decay_type", get_args(DecayType))
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
    """Fails if a target is not found: in a module, its hyper-parameters or buffers, data module or trainer."""
    module = watched(regression, read)
    module.layers[1] = torch.nn.Dropout(0.5)
    module.hparams["clip_range"] = 0.5
    module.register_buffer("scale", torch.tensor(0.5))
    data.noise = None
    make_trainer(ScheduleCallback(target, 0.5, 0.25), max_epochs=2, gradient_clip_val=0.5).fit(module, data)
    assert module.values == (0.5, 0.375)


def test_the_entropy_schedule_is_one_of_them(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    """Fails if the entropy schedule is a second implementation, which would not see another schedule of its target."""
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
def test_wrong_arguments_of_the_general_schedule(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScheduleCallback(**{"target": "pl_module.clip_range", **arguments})


def test_points_belong_to_the_general_schedule() -> None:
    with pytest.raises(ValueError, match="decay_type='piecewise' is not a decay type: use one of linear, cosine, exp"):
        EntropyScheduleCallback(decay_type="piecewise")  # type: ignore[arg-type]


@dataclass(frozen=True)
class Search:
    """Holds settings of another project, which check themselves."""

    simulations: int = 16
    noise: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.simulations <= 64:
            raise ValueError(f"simulations: {self.simulations} given, expected 0 to 64")


@dataclass(frozen=True)
class Play:
    search: Search = Search()
    games: int | None = None
    plain: float = 1.0


def test_fields_of_frozen_settings_are_set_on_copies(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    """Fails if a copy loses the owner above it, or what another schedule of the same object has set."""
    data.play = given = Play()
    module = watched(regression, lambda module: module.trainer.datamodule.play)
    schedules = [
        ScheduleCallback("trainer.datamodule.play.search.simulations", 16, 64, integer=True, last_iteration=3),
        ScheduleCallback("trainer.datamodule.play.search.noise", 0.5, 0.0, last_iteration=2),
        ScheduleCallback("trainer.datamodule.play.games", 2, decay_type="constant", integer=True),
    ]
    make_trainer(*schedules, max_epochs=4).fit(module, data)
    assert module.values == (
        Play(Search(16, 0.5), games=2),
        Play(Search(32, 0.25), games=2),
        Play(Search(48, 0.0), games=2),
        Play(Search(64, 0.0), games=2),
    )
    assert all(type(play.search.simulations) is int for play in module.values)
    assert given == Play()


def test_a_resumed_run_sets_frozen_settings_from_its_epoch(
    make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    data.play = Play()
    target = "trainer.datamodule.play.search.simulations"
    first = make_trainer(ScheduleCallback(target, 16, 64, integer=True, last_iteration=3), max_epochs=2)
    first.fit(regression(), data)
    first.save_checkpoint(tmp_path / "stopped.ckpt")
    data.play = Play()
    module = watched(regression, lambda module: module.trainer.datamodule.play.search.simulations)
    resumed = make_trainer(ScheduleCallback(target, 16, 64, integer=True, last_iteration=3), max_epochs=4)
    resumed.fit(module, data, ckpt_path=tmp_path / "stopped.ckpt")
    assert module.values == (48, 64)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "search.simulations",
            {"start": 65, "end": 0},
            r"cannot be set to 65: simulations: 65 given, expected 0 to 64",
        ),
        (
            "search.simulations",
            {"start": 0, "end": 80},
            r"cannot be set to 72: simulations: 72 given, expected 0 to 64",
        ),
        (
            "search.simulations",
            {"start": 0, "end": 8, "integer": False},
            r"takes whole numbers, and 0\.0 is a float\. ",
        ),
        ("games", {"start": 1, "end": 2, "integer": False}, "'games' of Play takes whole numbers.* integer: true"),
        ("search.simulation", {"start": 0, "end": 8}, "Search and has no attribute 'simulation'.*'simulations'"),
        ("search", {"start": 0, "end": 8}, "holds a Search, which a schedule does not overwrite"),
    ],
)
def test_what_frozen_settings_refuse_is_said_before_training(
    name: str, arguments: dict[str, Any], message: str, make_trainer: MakeTrainer, regression: Any, data: Any
) -> None:
    data.play, module = Play(), regression()
    schedule = ScheduleCallback(f"trainer.datamodule.play.{name}", **{"integer": True, **arguments}, last_iteration=10)
    with pytest.raises(MisconfigurationException, match=rf"target='trainer\.datamodule\.play\.{name}'.*{message}"):
        make_trainer(schedule, max_epochs=2).fit(module, data)
    assert module.seen == []
    assert data.play == Play()


def test_a_wrong_point_in_the_middle_is_said_before_training(
    make_trainer: MakeTrainer, regression: Any, data: Any
) -> None:
    data.play, module = Play(), regression()
    points = {0: 8, 5: 65, 6: 8}
    schedule = ScheduleCallback(
        "trainer.datamodule.play.search.simulations", decay_type="piecewise", points=points, integer=True
    )
    with pytest.raises(MisconfigurationException, match="cannot be set to 65"):
        make_trainer(schedule, max_epochs=2).fit(module, data)
    assert module.seen == []


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
    assert "Two neighbouring epochs make a jump" in text
    assert "{" + ",".join(get_args(ScheduleType)) + "}" in text
