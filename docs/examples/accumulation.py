"""Manual optimization with accumulated gradients: one step in so many batches, and norms of the sums.

    python accumulation.py [--max_epochs N] [--logs FOLDER]

How many batches make a step doubles every two epochs by `ScheduleCallback`, which sets whole numbers here: a growing
batch size, by the module's own loop. Needs torch, lightning and `callbacks`.
"""

from __future__ import annotations

import argparse

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from callbacks import GradNormCallback, ScheduleCallback

CLIP = 1.0


class Regression(LightningModule):
    accumulate = 1  # the callback sets it

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
        self.steps = 0

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer = self.optimizers()
        loss = torch.nn.functional.mse_loss(self.layers(batch[0]), batch[1])
        self.manual_backward(loss / self.accumulate)
        if (batch_idx + 1) % self.accumulate == 0 or self.trainer.is_last_batch:
            before = torch.nn.utils.clip_grad_norm_(self.parameters(), CLIP)
            # clipping by hand comes before the callback's two measurements: what it was before is logged here
            self.log("train/grad_norm_unclipped", before)
            optimizer.step()
            optimizer.zero_grad()
            self.steps += 1
        self.log("train/loss", loss)

    def on_train_epoch_end(self) -> None:
        self.log("train/steps", float(self.steps))
        self.steps = 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Gradient accumulation under manual optimization.")
    parser.add_argument("--max_epochs", type=int, default=6)
    parser.add_argument("--logs", default="logs")
    arguments = parser.parse_args()
    seed_everything(1)
    inputs = torch.randn(256, 8)
    targets = inputs.sum(dim=1, keepdim=True).sin() * 4
    trainer = Trainer(
        max_epochs=arguments.max_epochs,
        accelerator="cpu",
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=CSVLogger(arguments.logs, name="accumulation"),
        callbacks=[
            ScheduleCallback(
                "pl_module.accumulate",
                decay_type="piecewise",
                points={0: 1, 1: 1, 2: 2, 3: 2, 4: 4},
                integer=True,
            ),
            GradNormCallback(),
        ],
    )
    trainer.fit(Regression(), DataLoader(TensorDataset(inputs, targets), batch_size=16))
    print(f"{trainer.log_dir}/metrics.csv")


if __name__ == "__main__":
    main()
