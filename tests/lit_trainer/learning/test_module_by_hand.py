"""The module without the command line: pickled, compiled, loaded from a checkpoint, with each kind of scheduler."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ReduceLROnPlateau
from support.trainers import quiet_trainer
from torch.optim import AdamW
from torch.utils.data import DataLoader, TensorDataset

from callbacks import GradNormCallback, NonFiniteCallback, TemperatureScheduleCallback
from lit_trainer import (
    AlphaZeroModule,
    EvaluationFigures,
    EvaluationReport,
    EvaluationSettings,
    GenerationSettings,
    ResidualMLP,
    SelfPlayDataModule,
    SelfPlayProgressBar,
    TimeReport,
)

Make = Callable[..., ResidualMLP]


def small_data() -> SelfPlayDataModule:
    return SelfPlayDataModule(
        generation=GenerationSettings(games=4, simulations=2, threads=1),
        evaluation=EvaluationSettings(["random"], games=2),
        steps_per_iteration=2,
        batch_size=8,
    )


def trainer_in(folder: Path, **changes: Any) -> Trainer:
    options: dict[str, Any] = {"max_epochs": 1, "limit_val_batches": 0, **changes}
    return quiet_trainer(log_every_n_steps=1, num_sanity_val_steps=0, default_root_dir=folder, **options)


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == other_name and torch.equal(value, others) for (name, value), (other_name, others) in pairs)


def test_the_parts_of_a_run_can_be_sent_to_another_process(make_network: Make, tmp_path: Path) -> None:
    """A default that is a lambda, and so no ``strategy="ddp_spawn"``."""
    module = AlphaZeroModule(make_network())
    copy = pickle.loads(pickle.dumps(module))
    assert same_weights(copy, module)
    optimizer = copy.configure_optimizers()
    assert type(optimizer) is AdamW and optimizer.param_groups[0]["lr"] == 1e-3
    callbacks = [
        GradNormCallback(), NonFiniteCallback(), TemperatureScheduleCallback(last_iteration=2), EvaluationReport(),
        EvaluationFigures(), TimeReport(), SelfPlayProgressBar(),
    ]  # fmt: skip
    data, callbacks = pickle.loads(pickle.dumps((small_data(), callbacks)))
    trainer_in(tmp_path, callbacks=callbacks[:-1]).fit(copy, data)
    assert not same_weights(copy, module)


@pytest.mark.slow
def test_processes_that_the_trainer_spawns(make_network: Make, tmp_path: Path) -> None:
    module = AlphaZeroModule(make_network())
    trainer = trainer_in(tmp_path, strategy="ddp_spawn", callbacks=[EvaluationFigures()], limit_val_batches=1)
    trainer.fit(module, small_data())
    assert not same_weights(module.network, make_network())


def test_a_network_is_compiled_in_place(make_network: Make, tmp_path: Path) -> None:
    """A wrapper, which the data module refused by an assertion, and whose weights would have other names."""
    with pytest.raises(ValueError, match=r"^network: OptimizedModule given, expected .*network\.compile\(\)"):
        AlphaZeroModule(torch.compile(make_network(), backend="eager"))  # type: ignore[arg-type]
    network = make_network()
    network.compile(backend="eager")
    trainer, module = trainer_in(tmp_path, limit_val_batches=1), AlphaZeroModule(network)
    trainer.fit(module, small_data())
    trainer.save_checkpoint(tmp_path / "compiled.ckpt")
    assert "random" in module.evaluation
    assert same_weights(AlphaZeroModule.load_from_checkpoint(tmp_path / "compiled.ckpt"), module)


def test_a_checkpoint_knows_its_network(checkpoint_path: Path, make_network: Make) -> None:
    """ "missing 'network'", or one that cannot learn on."""
    module = AlphaZeroModule.load_from_checkpoint(str(checkpoint_path), value_coef=2.0)
    assert module.value_coef == 2.0 and module.iterations_done == 1
    assert module.network.training and all(parameter.requires_grad for parameter in module.parameters())
    weights = torch.load(checkpoint_path, weights_only=True)["state_dict"]
    assert torch.equal(next(module.parameters()), weights[next(iter(module.state_dict()))])
    network = make_network(5)
    assert AlphaZeroModule.load_from_checkpoint(checkpoint_path, network=network).network is network
    assert same_weights(network, module.network)
    with open(checkpoint_path, "rb") as file:
        assert AlphaZeroModule.load_from_checkpoint(file, network=make_network(5)).iterations_done == 1
    with pytest.raises(TypeError, match="cannot be called on an instance"):
        module.load_from_checkpoint(checkpoint_path)
    with pytest.raises(FileNotFoundError, match=r"^checkpoint_path: there is no file 'gone\.ckpt'"):
        AlphaZeroModule.load_from_checkpoint("gone.ckpt")


def test_batches_of_something_else_are_refused(make_network: Make, tmp_path: Path) -> None:
    """Positions to validate on, as most projects have them."""
    positions = DataLoader(TensorDataset(torch.zeros(4, 3), torch.zeros(4)))
    with pytest.raises(ValueError, match=r"^evaluation batch: a list found, expected a mapping with `opponent`"):
        trainer_in(tmp_path, limit_val_batches=1).validate(AlphaZeroModule(make_network()), positions)


@pytest.mark.parametrize(
    ("monitor", "every", "rates"),
    [
        # no loss is below a threshold of 10, so each look at it after the first halves the rate
        ("train/loss", 2, [1.0, 1.0, 0.5, 0.25, 0.125]),
        ("val/mean_win_rate", 2, [1.0, 1.0, 1.0, 1.0, 0.5]),
        ("val/mean_win_rate", 1, [1.0, 1.0, 0.5, 0.25, 0.125]),
    ],
)
def test_a_schedule_that_follows_a_metric(
    monitor: str, every: int, rates: list[float], make_network: Make, tmp_path: Path
) -> None:
    """A monitor that is lost, or that counts one validation as often as there are iterations until the next."""
    options: dict[str, Any] = {"factor": 0.5, "patience": 0, "threshold": 10.0, "threshold_mode": "abs"}
    scheduler = partial(ReduceLROnPlateau, monitor=monitor, **options)
    module = AlphaZeroModule(make_network(), partial(torch.optim.SGD, lr=1.0), scheduler, entropy_coef=0.5)
    seen: list[float] = []
    module.on_train_epoch_start = lambda: seen.append(module.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr, assignment]
    trainer = trainer_in(tmp_path, max_epochs=5, limit_val_batches=1, check_val_every_n_epoch=every)
    trainer.fit(module, small_data())
    assert seen == rates
    trainer.save_checkpoint(tmp_path / "five.ckpt")
    resumed = AlphaZeroModule(make_network(), partial(torch.optim.SGD, lr=1.0), scheduler, entropy_coef=0.5)
    again = trainer_in(tmp_path, max_epochs=6, limit_val_batches=1, check_val_every_n_epoch=every)
    again.fit(resumed, small_data(), ckpt_path=tmp_path / "five.ckpt")
    assert again.optimizers[0].param_groups[0]["lr"] < rates[-1]


def test_a_schedule_without_its_metric_is_refused(make_network: Make, tmp_path: Path) -> None:
    module = AlphaZeroModule(make_network(), lr_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau)
    with pytest.raises(ValueError, match=r"^lr_scheduler: torch's ReduceLROnPlateau given, which names no metric"):
        trainer_in(tmp_path).fit(module, small_data())
