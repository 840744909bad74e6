"""ScheduleCallback: the value is set before data is made, does not depend on later changes, and is the one logged."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import StochasticWeightAveraging
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, IterableDataset

from callbacks import EntropyScheduleCallback, ScheduleCallback, TemperatureScheduleCallback

MakeTrainer = Callable[..., Any]


def logged(logger: CSVLogger, name: str) -> list[float]:
    with open(Path(logger.log_dir) / "metrics.csv") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


@pytest.mark.parametrize("integer", [False, True])
def test_a_buffer_of_whole_numbers_is_refused_or_gets_rounded_ones(
    integer: bool, make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    """Zeros in a buffer whose values the log shows as 0.625."""
    module, logger, seen = regression(), CSVLogger(tmp_path), []
    module.register_buffer("level", torch.tensor(8))
    module.on_train_epoch_start = lambda: seen.append(module.level.item())
    schedule = ScheduleCallback("pl_module.level", 4, 1, integer=integer, last_iteration=4)
    trainer = make_trainer(schedule, max_epochs=4, logger=logger)
    if integer:
        trainer.fit(module, data)
        assert seen == logged(logger, "train/level") == [4, 3, 2, 2]  # 4, 3.25, 2.5 and 1.75
        assert module.level.dtype == torch.int64
    else:
        with pytest.raises(MisconfigurationException, match=r"^target='pl_module\.level' .*4\.0 is a float\. Give"):
            trainer.fit(module, data)
        assert module.level.item() == 8 and module.seen == []


def test_the_log_shows_what_is_stored(make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path) -> None:
    """A buffer of half precision, an attribute that rounds, and a value that something else changed."""

    class Rounding(regression):  # type: ignore[misc]
        _rate = 0.0

        @property
        def rate(self) -> float:
            return self._rate

        @rate.setter
        def rate(self, value: float) -> None:
            self._rate = round(value, 1)

        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            self.entropy_coef = 0.5

    module, logger = Rounding(), CSVLogger(tmp_path)
    module.register_buffer("level", torch.tensor(1.0, dtype=torch.bfloat16))
    names = ("level", "rate", "entropy_coef")
    schedules = [ScheduleCallback(f"pl_module.{name}", 0.33, decay_type="constant") for name in names]
    make_trainer(*schedules, logger=logger).fit(module, data)
    assert [logged(logger, f"train/{name}") for name in names] == [[module.level.item()], [pytest.approx(0.3)], [0.5]]
    assert module.level.item() != pytest.approx(0.33, rel=1e-4)


def test_a_loader_that_is_made_anew_reads_its_epoch_s_value(
    make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    """The value of the epoch before, in a loader that asks for it when it is made."""
    read, logger, make = [], CSVLogger(tmp_path), data.train_dataloader

    def train_dataloader() -> Any:
        read.append(data.temperature)
        return make()

    data.train_dataloader = train_dataloader
    schedule = TemperatureScheduleCallback(1.0, 0.5, last_iteration=4)
    make_trainer(schedule, max_epochs=4, reload_dataloaders_every_n_epochs=1, logger=logger).fit(regression(), data)
    assert read == logged(logger, "train/temperature") == [1.0, 0.875, 0.75, 0.625]


class Values(IterableDataset):  # type: ignore[type-arg]
    """Four inputs that are the data module's temperature, as this process sees it."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __iter__(self) -> Any:
        for _ in range(4):
            yield torch.full((3,), self.data.temperature), torch.zeros(1)


class Sized(Values):
    def __len__(self) -> int:
        return 4


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
@pytest.mark.filterwarnings("ignore:Your `IterableDataset` has `__len__` defined")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize(("dataset", "workers"), [(Values, 0), (Sized, 1)])
@pytest.mark.parametrize("steps", [None, 16])
def test_a_resumed_run_makes_its_first_data_at_the_restored_epoch_s_value(
    steps: int | None,
    dataset: Any,
    workers: int,
    make_trainer: MakeTrainer,
    regression: Any,
    data: Any,
    tmp_path: Path,
) -> None:
    """Workers that start, or a first batch that is made, before the epoch is known: both took that of epoch 0."""
    seen: list[tuple[float, float]] = []

    class SavesAtTheEnd(Callback):
        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            trainer.save_checkpoint(tmp_path / f"{trainer.current_epoch}.ckpt")

    class Noting(regression):  # type: ignore[misc]
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            seen.append((batch[0][0, 0].item(), self.trainer.datamodule.temperature))
            return super().training_step(batch, batch_idx)

    def run(epochs: int, checkpoint: Path | None = None, **limits: Any) -> None:
        data.train_dataloader = lambda: DataLoader(dataset(data), num_workers=workers)
        schedule = TemperatureScheduleCallback(1.0, 0.5, last_iteration=4)
        trainer = make_trainer(schedule, SavesAtTheEnd(), max_epochs=epochs, **limits)
        trainer.fit(Noting(), data, ckpt_path=checkpoint)

    run(3)
    seen.clear()
    run(4, tmp_path / "2.ckpt", **({} if steps is None else {"max_steps": steps}))
    # where steps bound a run, Lightning plays one more batch of the epoch that had ended
    assert seen[0][0] == (0.625 if steps is None else 0.75)
    assert all(made_at == now for made_at, now in seen)


@pytest.mark.parametrize("norm", [False, True])
def test_the_end_stays_where_it_was_at_set_up(
    norm: bool, make_trainer: MakeTrainer, regression: Any, data: Any
) -> None:
    """Weight averaging adds an epoch where there is batch norm, and took it into the schedule: 1, .8, .6 in all."""

    class Later(Callback):
        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            trainer.fit_loop.max_epochs = 5

    module = regression()
    if norm:
        module.layers.insert(1, torch.nn.BatchNorm1d(8))
    changing = StochasticWeightAveraging(swa_lrs=0.01) if norm else Later()
    schedule = EntropyScheduleCallback(1.0, 0.0)
    make_trainer(schedule, changing, max_epochs=4).fit(module, data)
    assert [value for _, value in module.seen[::4]][:4] == [1.0, 0.75, 0.5, 0.25]
    trainer = make_trainer(schedule, max_epochs=2)
    module.seen.clear()
    trainer.fit(module, data)
    assert [value for _, value in module.seen[::4]] == [1.0, 0.5], "another run has its own end"
