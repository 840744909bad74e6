"""Provides a callback that writes what each process of a run holds at its end."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class RankReport(Callback):
    """Writes ``<folder>/rank<k>.pt``: weights, replay window, statistics, pool, results and steps of process k."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        Path(self.folder).mkdir(exist_ok=True)
        report = {
            "state_dict": pl_module.state_dict(),
            "replay": data.window.state_dict(),
            "stats": data.generation_stats.to_log(),
            "opponent_pool": data.opponent_pool.state_dict() | {"weights": dict(data.opponent_pool.weights)},
            "evaluation": {name: asdict(result) for name, result in pl_module.evaluation.items()},
            "steps": trainer.global_step,
        }
        torch.save(report, f"{self.folder}/rank{trainer.global_rank}.pt")
