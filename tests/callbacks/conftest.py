"""A small regression, and a trainer for it: nothing here knows of games."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

BATCHES_PER_EPOCH = 4


class Regression(LightningModule):
    """Fits a fixed linear map with an MLP, and notes what it sees of the attributes that callbacks drive."""

    def __init__(self, learning_rate: float = 0.05) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.entropy_coef = -1.0
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        self.seen: list[tuple[int, float]] = []

    def loss(self, batch: Any) -> torch.Tensor:
        inputs, targets = batch
        return torch.nn.functional.mse_loss(self.layers(inputs), targets)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.seen.append((self.current_epoch, float(self.entropy_coef)))
        return self.loss(batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/loss", self.loss(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate)


class RegressionData(LightningDataModule):
    """Sixteen fixed points in four batches, and the attributes that callbacks drive by default."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        inputs = torch.randn(16, 3, generator=generator)
        targets = inputs @ torch.tensor([[3.0], [-2.0], [1.0]])
        self.dataset = TensorDataset(inputs, targets)
        self.temperature: Any = None
        self.opponent_pool: Any = None

    def train_dataloader(self) -> Any:
        return DataLoader(self.dataset, batch_size=4)

    def val_dataloader(self) -> Any:
        return DataLoader(self.dataset, batch_size=16)


@pytest.fixture
def regression() -> type[Regression]:
    torch.manual_seed(0)
    return Regression


@pytest.fixture
def data() -> RegressionData:
    return RegressionData()


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., Trainer]:
    def make(*callbacks: Any, **changes: Any) -> Trainer:
        options = {
            "accelerator": "cpu",
            "devices": 1,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "limit_val_batches": 0,
            "log_every_n_steps": 1,
            "default_root_dir": tmp_path,
            "max_epochs": 1,
        }
        return Trainer(callbacks=list(callbacks), **{**options, **changes})

    return make
