"""Counts the objects that Python keeps, every thirty iterations of a small run; `test_soak.py` reads what it prints.

In a process of its own: what other tests leave behind may grow with each iteration.
"""

from __future__ import annotations

import gc
import json

from lightning.pytorch import Callback, LightningModule, Trainer

import callbacks
from lit_trainer import AdaptiveOpponentPool, AlphaZeroModule, ResidualMLP, SelfPlayDataModule


class Objects(Callback):
    def __init__(self) -> None:
        self.counted: list[int] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch % 30 == 29:
            gc.collect()
            self.counted.append(len(gc.get_objects()))


if __name__ == "__main__":
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
    print(json.dumps(objects.counted))
