"""AdaptiveOpponentCallback: when it updates, with which numbers, what it logs, and its errors."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from callbacks import AdaptiveOpponentCallback

MakeTrainer = Callable[..., Any]


class Pool:
    """Notes every dict it is given, and plays in proportion to losses."""

    def __init__(self) -> None:
        self.weights = {"easy": 0.5, "hard": 0.5}
        self.calls: list[dict[str, float]] = []

    def update_weights_from_win_rates(self, win_rates: dict[str, float]) -> None:
        self.calls.append(win_rates)
        losses = {name: 1 - rate for name, rate in win_rates.items()}
        self.weights = {name: loss / sum(losses.values()) for name, loss in losses.items()}


@pytest.fixture
def rated(regression: Any) -> Any:
    """Returns a regression that logs the win rates `rates[e]` in the validation of epoch e."""

    class Rated(regression):  # type: ignore[misc]
        rates: tuple[dict[str, float], ...] = ({"easy": 0.75, "hard": 0.25}, {"easy": 0.5, "hard": 0.5})

        def on_validation_epoch_end(self) -> None:
            rates = self.rates[min(self.current_epoch, len(self.rates) - 1)]
            self.log_dict({f"val/win_rate/{name}": rate for name, rate in rates.items()})

    return Rated


def test_each_validation_updates_with_its_own_win_rates(make_trainer: MakeTrainer, rated: Any, data: Any) -> None:
    data.opponent_pool = Pool()
    make_trainer(AdaptiveOpponentCallback(), max_epochs=2, limit_val_batches=1).fit(rated(), data)
    assert data.opponent_pool.calls == [{"easy": 0.75, "hard": 0.25}, {"easy": 0.5, "hard": 0.5}]
    assert all(type(rate) is float for call in data.opponent_pool.calls for rate in call.values())


def test_win_rates_of_an_earlier_validation_are_not_used_again(
    make_trainer: MakeTrainer, rated: Any, data: Any
) -> None:
    data.opponent_pool, module = Pool(), rated()
    module.rates = ({"easy": 0.75, "hard": 0.25}, {"hard": 0.5}, {"hard": 0.5}, {"easy": 0.75})
    trainer = make_trainer(AdaptiveOpponentCallback(), max_epochs=4, limit_val_batches=1)
    trainer.fit(module, data)
    assert data.opponent_pool.calls == list(module.rates)
    # Lightning itself still shows the old ones: the test above would prove nothing otherwise.
    assert {"val/win_rate/easy", "val/win_rate/hard"} <= set(trainer.callback_metrics)


def test_one_validation_loader_an_opponent(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    names, offset = ("easy", "hard"), {"easy": 0.25, "hard": 0.5}

    class OneLoaderEach(regression):  # type: ignore[misc]
        def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
            name = names[dataloader_idx]
            rate = offset[name] + 0.125 * self.current_epoch
            self.log(f"val/win_rate/{name}", rate, add_dataloader_idx=False, batch_size=4)

    data.val_dataloader = lambda: [DataLoader(data.dataset, batch_size=4) for _ in names]
    data.opponent_pool = Pool()
    make_trainer(AdaptiveOpponentCallback(), max_epochs=2, limit_val_batches=2).fit(OneLoaderEach(), data)
    assert data.opponent_pool.calls == [{"easy": 0.25, "hard": 0.5}, {"easy": 0.375, "hard": 0.625}]


def test_validations_within_an_epoch(make_trainer: MakeTrainer, rated: Any, data: Any) -> None:
    data.opponent_pool = Pool()
    make_trainer(AdaptiveOpponentCallback(), limit_val_batches=1, val_check_interval=2).fit(rated(), data)
    assert len(data.opponent_pool.calls) == 2


def test_validate_and_the_sanity_check_change_nothing(make_trainer: MakeTrainer, rated: Any, data: Any) -> None:
    data.opponent_pool = Pool()
    options = {"limit_val_batches": 1, "num_sanity_val_steps": 1, "max_epochs": 1}
    make_trainer(AdaptiveOpponentCallback(), **options).validate(rated(), data, verbose=False)
    assert data.opponent_pool.calls == []

    make_trainer(AdaptiveOpponentCallback(), **options, check_val_every_n_epoch=2).fit(rated(), data)
    assert data.opponent_pool.calls == []

    trainer = make_trainer(AdaptiveOpponentCallback(), **options)
    trainer.fit(rated(), data)
    assert len(data.opponent_pool.calls) == 1
    trainer.validate(rated(), data, verbose=False)
    assert len(data.opponent_pool.calls) == 1


def test_logs_the_weights(make_trainer: MakeTrainer, rated: Any, data: Any, tmp_path: Path) -> None:
    data.opponent_pool = Pool()
    loggers = [CSVLogger(tmp_path, name=name) for name in ("one", "two")]
    make_trainer(AdaptiveOpponentCallback(), max_epochs=2, limit_val_batches=1, logger=loggers).fit(rated(), data)
    for logger in loggers:
        with open(Path(logger.log_dir) / "metrics.csv") as file:
            logged = [row for row in csv.DictReader(file) if row["opponents/weight/easy"]]
        assert [float(row["opponents/weight/easy"]) for row in logged] == [0.25, 0.5]
        assert [float(row["opponents/weight/hard"]) for row in logged] == [0.75, 0.5]
        assert [(row["step"], row["epoch"]) for row in logged] == [("4", "0"), ("8", "1")]


def test_a_checkpoint_of_the_validation_holds_the_new_weights(
    make_trainer: MakeTrainer, rated: Any, data: Any, tmp_path: Path
) -> None:
    data.opponent_pool = Pool()
    data.state_dict = lambda: dict(data.opponent_pool.weights)
    save = ModelCheckpoint(tmp_path, filename="best", monitor="val/loss")
    make_trainer(save, AdaptiveOpponentCallback(), limit_val_batches=1, enable_checkpointing=True).fit(rated(), data)
    checkpoint = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert checkpoint["RegressionData"] == {"easy": 0.25, "hard": 0.75}
    assert all("AdaptiveOpponentCallback" not in key for key in checkpoint["callbacks"])


def test_two_pools(make_trainer: MakeTrainer, rated: Any, data: Any) -> None:
    module = rated()
    data.opponent_pool, module.pool = Pool(), Pool()
    module.rates = ({"easy": 0.75, "boss/hard": 0.25},)
    callbacks = [AdaptiveOpponentCallback(), AdaptiveOpponentCallback("pl_module.pool", "val/win_rate/boss/")]
    assert callbacks[0].state_key != callbacks[1].state_key
    make_trainer(*callbacks, limit_val_batches=1).fit(module, data)
    assert module.pool.calls == [{"hard": 0.25}]
    assert data.opponent_pool.calls == [{"easy": 0.75, "boss/hard": 0.25}]


def test_two_pools_log_apart(make_trainer: MakeTrainer, rated: Any, data: Any, tmp_path: Path) -> None:
    module, logger = rated(), CSVLogger(tmp_path)
    data.opponent_pool, module.pool = Pool(), Pool()
    module.rates = ({"easy": 0.75, "hard": 0.25, "boss/hard": 0.0, "boss/easy": 0.5},)
    second = AdaptiveOpponentCallback("pl_module.pool", "val/win_rate/boss/", log_prefix="bosses/")
    make_trainer(AdaptiveOpponentCallback(), second, limit_val_batches=1, logger=logger).fit(module, data)
    with open(Path(logger.log_dir) / "metrics.csv") as file:
        logged = {name: value for row in csv.DictReader(file) for name, value in row.items() if value}
    assert float(logged["bosses/easy"]) == pytest.approx(1 / 3)
    assert float(logged["opponents/weight/easy"]) == pytest.approx(0.25 / 2.5)


def test_a_pool_needs_one_method_alone(make_trainer: MakeTrainer, rated: Any, data: Any, tmp_path: Path) -> None:
    """Fails if the callback needs more of a pool than its one method: this one keeps its shares to itself."""

    class Curriculum:
        hardest = ""

        def update_weights_from_win_rates(self, win_rates: dict[str, float]) -> None:
            self.hardest = min(win_rates, key=win_rates.__getitem__)

    data.opponent_pool, logger = Curriculum(), CSVLogger(tmp_path)
    make_trainer(AdaptiveOpponentCallback(), limit_val_batches=1, logger=logger).fit(rated(), data)
    assert data.opponent_pool.hardest == "hard"
    assert "opponents/weight" not in (Path(logger.log_dir) / "metrics.csv").read_text()


def test_no_metric_with_the_prefix(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    data.opponent_pool = Pool()
    with pytest.raises(MisconfigurationException, match=r"metric_prefix='val/win_rate/'\. It logged: val/loss\."):
        make_trainer(AdaptiveOpponentCallback(), limit_val_batches=1).fit(regression(), data)


def test_a_loaders_index_in_the_name(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    class Indexed(regression):  # type: ignore[misc]
        def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
            self.log("val/win_rate/easy", 0.5)

    data.val_dataloader = lambda: [DataLoader(data.dataset), DataLoader(data.dataset)]
    data.opponent_pool = Pool()
    with pytest.raises(MisconfigurationException, match=r"'easy/dataloader_idx_0' is no opponent's name.*=False"):
        make_trainer(AdaptiveOpponentCallback(), limit_val_batches=1).fit(Indexed(), data)
    assert data.opponent_pool.calls == []


def test_a_wrong_pool_is_said_before_training(make_trainer: MakeTrainer, rated: Any, data: Any) -> None:
    data.opponent_pool = object()
    message = r"opponent_pool' is a object without update_weights_from_win_rates: a pool is any"
    with pytest.raises(MisconfigurationException, match=message):
        make_trainer(AdaptiveOpponentCallback(), limit_val_batches=1).fit(rated(), data)

    misspelt = AdaptiveOpponentCallback(pool="trainer.datamodule.oponent_pool")
    with pytest.raises(MisconfigurationException, match=r"no attribute 'oponent_pool'\. Did you mean 'opponent_pool'"):
        make_trainer(misspelt, limit_val_batches=1).fit(rated(), data)


def test_the_pools_own_error_is_passed_on(make_trainer: MakeTrainer, rated: Any, data: Any) -> None:
    class Strict(Pool):
        def update_weights_from_win_rates(self, win_rates: dict[str, float]) -> None:
            raise ValueError("unknown opponent")

    data.opponent_pool = Strict()
    with pytest.raises(ValueError, match="unknown opponent"):
        make_trainer(AdaptiveOpponentCallback(), limit_val_batches=1).fit(rated(), data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pool": "datamodule.pool"}, "pool='datamodule.pool' is not a dotted path"),
        ({"metric_prefix": ""}, "metric_prefix=''"),
        ({"log_prefix": ""}, "log_prefix=''"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdaptiveOpponentCallback(**arguments)
