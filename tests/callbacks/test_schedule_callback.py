"""What every schedule callback does, shown on the entropy one: values by epoch, resumes, errors at set-up."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, IterableDataset

from callbacks import EntropyScheduleCallback, TemperatureScheduleCallback, get_entropy_coef

MakeTrainer = Callable[..., Any]


def expected(epochs: range, total: int, **arguments: Any) -> list[tuple[int, float]]:
    """What four batches an epoch should see."""
    return [(epoch, get_entropy_coef(epoch, total, **arguments)) for epoch in epochs for _ in range(4)]


def rows(directory: Path, name: str) -> list[float]:
    with open(directory / "metrics.csv") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


@pytest.mark.parametrize("decay_type", ["linear", "cosine", "exponential", "constant"])
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
