"""The long checks, short; and that they would find what they look for."""

from __future__ import annotations

import gc
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

import callbacks
from lit_trainer import AdaptiveOpponentPool, AlphaZeroModule, ResidualMLP, SelfPlayDataModule
from sim_core import GameBatch


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    path = Path(__file__).parent.parent / "benchmarks" / "soak.py"
    spec = importlib.util.spec_from_file_location("soak", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_games_keep_every_invariant(soak: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    soak.games(games=4000, batch_size=400)
    assert "4,000 games, 96,000 turns, every invariant held" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("field", "place", "value", "said"),
    [
        ("hand", (3, 0), 0b1111, "a card is"),
        ("bar", (3, 1), 0xFFF, "a card is in two places"),
        ("line_size", (3,), 5, "five animals|a card"),
        ("ply", (3,), 9, "turns are miscounted"),
        ("deck_size", (3, 1), 0, "a card is missing"),
    ],
)
def test_a_broken_position_is_found(
    soak: ModuleType, field: str, place: tuple[int, ...], value: int, said: str
) -> None:
    batch = GameBatch(8, 1)
    for _ in range(6):
        batch.step(batch.opponent_actions("random", 1).astype(np.int64))
    states = batch.packed().view(soak.LAYOUT)[:, 0]
    soak.check_position(batch, states, 6)
    states[field][place] = value
    with pytest.raises(soak.Broken, match=said):
        soak.check_position(batch, states, 6)


@pytest.mark.parametrize(
    ("field", "said"),
    [("bar", "came back from the bar"), ("out", "came back from the out"), ("hand", "hand changed|card was")],
)
def test_a_broken_turn_is_found(soak: ModuleType, field: str, said: str) -> None:
    batch = GameBatch(64, 1)
    for _ in range(12):
        batch.step(batch.opponent_actions("random", 1).astype(np.int64))
    before = batch.packed().view(soak.LAYOUT)[:, 0]
    batch.step(batch.opponent_actions("random", 1).astype(np.int64))
    after = batch.packed().view(soak.LAYOUT)[:, 0]
    soak.check_turn(batch, before, after)
    after[field][:] = 0
    with pytest.raises(soak.Broken, match=said):
        soak.check_turn(batch, before, after)


def test_a_run_is_watched(soak: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    soak.run(minutes=0.05, games=8, steps=1)
    assert "iterations" in capsys.readouterr().out


class Objects(Callback):
    """How many objects Python keeps, every thirty iterations."""

    def __init__(self) -> None:
        self.counted: list[int] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch % 30 == 29:
            gc.collect()
            self.counted.append(len(gc.get_objects()))


@pytest.mark.slow
def test_an_iteration_leaves_nothing_behind() -> None:
    """A list that grows, or one more name in the log for each past checkpoint."""
    objects = Objects()
    data = SelfPlayDataModule(
        opponent_pool=AdaptiveOpponentPool(["random"], 0.4, 0.3, snapshot_every=5, max_past=2),
        games_per_iteration=8,
        steps_per_iteration=1,
        batch_size=16,
        replay_positions=1000,
        simulations=1,
        parallel_games=8,
        evaluation_games=2,
        threads=1,
    )
    trainer = Trainer(
        max_epochs=120,
        accelerator="cpu",
        check_val_every_n_epoch=10,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[objects, callbacks.AdaptiveOpponentCallback(), callbacks.GradNormCallback()],
    )
    trainer.fit(AlphaZeroModule(ResidualMLP(width=8, blocks=1)), datamodule=data)
    assert len(objects.counted) == 4
    assert objects.counted[3] - objects.counted[1] < 30, objects.counted
