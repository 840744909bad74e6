"""Proximal policy optimization on a bandit: the entropy bonus decays, the clip range narrows.

    python ppo.py [--max_epochs N] [--logs FOLDER]

The bandit's pay depends on what it shows: the right arm is the one that the largest of four numbers stands for. One
epoch is one round of acting, and four passes over what was seen. Needs torch, lightning and `callbacks`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from callbacks import EntropyScheduleCallback, GradNormCallback, ScheduleCallback

ARMS, ROUND, PASSES, BATCH = 4, 256, 4, 64


class Rounds(IterableDataset[tuple[Tensor, ...]]):
    """Acts with the policy as it is, then gives batches of what was seen, chosen and paid."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def __len__(self) -> int:
        return PASSES * ROUND // BATCH

    @torch.no_grad()
    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        shown = torch.randn(ROUND, ARMS)
        policy = torch.distributions.Categorical(logits=self.policy(shown))
        arms = policy.sample()
        pay = (arms == shown.argmax(dim=1)).float()
        advantages = (pay - pay.mean()) / (pay.std() + 1e-6)
        self.policy.mean_pay = pay.mean().item()
        for _ in range(PASSES):
            for rows in torch.randperm(ROUND).split(BATCH):
                yield shown[rows], arms[rows], policy.log_prob(arms)[rows], advantages[rows]


class Policy(LightningModule):
    entropy_coef = 0.0  # the callbacks set both, the loss reads them
    clip_range = 0.2

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(ARMS, 32), torch.nn.Tanh(), torch.nn.Linear(32, ARMS))
        self.mean_pay = 0.0

    def forward(self, shown: Tensor) -> Tensor:
        return self.layers(shown)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        shown, arms, old_log_probs, advantages = batch
        policy = torch.distributions.Categorical(logits=self(shown))
        ratio = (policy.log_prob(arms) - old_log_probs).exp()
        clipped = ratio.clamp(1 - self.clip_range, 1 + self.clip_range)
        surrogate = torch.minimum(ratio * advantages, clipped * advantages).mean()
        entropy = policy.entropy().mean()
        self.log_dict({"train/entropy": entropy, "train/pay": self.mean_pay}, on_step=False, on_epoch=True)
        return -surrogate - self.entropy_coef * entropy

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def main() -> None:
    parser = argparse.ArgumentParser(description="PPO with scheduled entropy bonus and clip range.")
    parser.add_argument("--max_epochs", type=int, default=10)
    parser.add_argument("--logs", default="logs")
    arguments = parser.parse_args()
    seed_everything(1)
    policy = Policy()
    trainer = Trainer(
        max_epochs=arguments.max_epochs,
        accelerator="cpu",
        gradient_clip_val=0.5,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=CSVLogger(arguments.logs, name="ppo"),
        callbacks=[
            EntropyScheduleCallback(start_coef=0.1, end_coef=0.001, decay_type="exponential"),
            ScheduleCallback("pl_module.clip_range", start=0.3, end=0.1, decay_type="cosine"),
            GradNormCallback(),
        ],
    )
    trainer.fit(policy, DataLoader(Rounds(policy), batch_size=None))
    print(f"mean pay {policy.mean_pay:.2f}, {trainer.log_dir}/metrics.csv")


if __name__ == "__main__":
    main()
