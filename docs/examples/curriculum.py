"""A curriculum in somebody else's project: the tasks it fails at come more often, by `AdaptiveOpponentCallback`.

    python curriculum.py [--max_epochs N] [--logs FOLDER]

The tasks are sums of two, three or six numbers; the "pool" is a sampler with one method of its own. Needs torch,
lightning and `callbacks`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from callbacks import AdaptiveOpponentCallback

TASKS = {"two": 2, "three": 3, "six": 6}


def examples(terms: int, size: int) -> tuple[Tensor, Tensor]:
    numbers = torch.zeros(size, 6)
    numbers[:, :terms] = torch.randn(size, terms)
    return numbers, (numbers.sum(dim=1) > 0).float()


class TaskSampler(IterableDataset[tuple[Tensor, Tensor]]):
    """Draws each batch's task by weight. All the callback asks for is the method; `weights` is logged if there."""

    def __init__(self) -> None:
        self.weights = dict.fromkeys(TASKS, 1 / len(TASKS))

    def update_weights_from_win_rates(self, win_rates: dict[str, float]) -> None:
        failures = {name: 1.05 - rate for name, rate in win_rates.items()}
        self.weights = {name: failure / sum(failures.values()) for name, failure in failures.items()}

    def __len__(self) -> int:
        return 16

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        names = list(TASKS)
        drawn = torch.multinomial(torch.tensor([self.weights[name] for name in names]), len(self), replacement=True)
        for k in drawn.tolist():
            yield examples(TASKS[names[k]], 32)


class Adder(LightningModule):
    def __init__(self, tasks: TaskSampler) -> None:
        super().__init__()
        self.tasks = tasks  # what the callback's `pool` leads to
        self.layers = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self.layers(batch[0]).squeeze(1)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        right = ((self.layers(batch[0]).squeeze(1) > 0) == (batch[1] > 0)).float().mean()
        self.log(f"solved/{list(TASKS)[dataloader_idx]}", right, add_dataloader_idx=False)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def main() -> None:
    parser = argparse.ArgumentParser(description="Tasks drawn by how often they fail.")
    parser.add_argument("--max_epochs", type=int, default=4)
    parser.add_argument("--logs", default="logs")
    arguments = parser.parse_args()
    seed_everything(1)
    tasks = TaskSampler()
    held_out = [DataLoader(torch.utils.data.TensorDataset(*examples(k, 256)), batch_size=256) for k in TASKS.values()]
    trainer = Trainer(
        max_epochs=arguments.max_epochs,
        accelerator="cpu",
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=CSVLogger(arguments.logs, name="curriculum"),
        callbacks=[AdaptiveOpponentCallback("pl_module.tasks", metric_prefix="solved/", log_prefix="share/")],
    )
    trainer.fit(Adder(tasks), DataLoader(tasks, batch_size=None), held_out)
    print({name: round(weight, 2) for name, weight in tasks.weights.items()}, f"{trainer.log_dir}/metrics.csv")


if __name__ == "__main__":
    main()
