"""A small generative adversarial network: two optimizers, manual optimization, gradient norms of each.

    python gan.py [--max_epochs N] [--logs FOLDER]

The generator learns a ring of points in the plane. Noise on what the discriminator sees (instance noise) fades out by
`ScheduleCallback`. Needs torch, lightning and `callbacks`.
"""

from __future__ import annotations

import argparse

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from callbacks import GradNormCallback, ScheduleCallback

LATENT = 4


def network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 32), nn.LeakyReLU(0.2), nn.Linear(32, outputs))


class RingGAN(LightningModule):
    noise = 0.0  # the callback sets it

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = network(LATENT, 2), network(2, 1)

    def judge(self, points: Tensor, real: bool) -> Tensor:
        seen = points + self.noise * torch.randn_like(points)
        logits = self.discriminator(seen)
        return binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (real,) = batch
        for_generator, for_discriminator = self.optimizers()
        fake = self.generator(torch.randn(len(real), LATENT))

        self.toggle_optimizer(for_discriminator)
        self.update(for_discriminator, self.judge(real, True) + self.judge(fake.detach(), False), "discriminator")
        self.untoggle_optimizer(for_discriminator)

        self.toggle_optimizer(for_generator)
        self.update(for_generator, self.judge(fake, True), "generator")
        self.untoggle_optimizer(for_generator)

    def update(self, optimizer: torch.optim.Optimizer, loss: Tensor, name: str) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        # clipped by hand, so both of the callback's norms of this optimizer are those after clipping
        self.clip_gradients(optimizer, gradient_clip_val=0.1, gradient_clip_algorithm="norm")
        optimizer.step()
        self.log(f"train/{name}_loss", loss)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(part.parameters(), lr=2e-3) for part in (self.generator, self.discriminator)]


def main() -> None:
    parser = argparse.ArgumentParser(description="A GAN of points on a ring.")
    parser.add_argument("--max_epochs", type=int, default=8)
    parser.add_argument("--logs", default="logs")
    arguments = parser.parse_args()
    seed_everything(1)
    angles = 2 * torch.pi * torch.rand(512)
    ring = TensorDataset(torch.stack([angles.cos(), angles.sin()], dim=1))
    trainer = Trainer(
        max_epochs=arguments.max_epochs,
        accelerator="cpu",
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=CSVLogger(arguments.logs, name="gan"),
        callbacks=[ScheduleCallback("pl_module.noise", start=0.4, end=0.0), GradNormCallback()],
    )
    trainer.fit(RingGAN(), DataLoader(ring, batch_size=64, shuffle=True))
    print(f"{trainer.log_dir}/metrics.csv")


if __name__ == "__main__":
    main()
