"""Plain supervised learning by LightningCLI: label smoothing and dropout are scheduled in a YAML, not in code.

    python supervised.py fit --config supervised.yaml

The module knows nothing of the callbacks; `supervised.yaml` names what they set. Needs torch,
lightning[pytorch-extra] (for LightningCLI) and `callbacks`.
"""

from __future__ import annotations

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 3


class Classifier(LightningModule):
    """Tells from four numbers to which of three classes they belong.

    Args:
        learning_rate: of Adam.
    """

    def __init__(self, learning_rate: float = 1e-2) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.layers = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.0), nn.Linear(32, CLASSES))
        self.loss = nn.CrossEntropyLoss()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.loss(self.layers(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/accuracy", (self.layers(batch[0]).argmax(dim=1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


class Clouds(LightningDataModule):
    """Three overlapping clouds of points, made on the spot."""

    def __init__(self, size: int = 512) -> None:
        super().__init__()
        labels = torch.arange(size) % CLASSES
        self.points = TensorDataset(torch.randn(size, 4) + 2 * nn.functional.one_hot(labels, 4), labels)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(self.points, batch_size=64, shuffle=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(self.points, batch_size=512)


if __name__ == "__main__":
    LightningCLI(Classifier, Clouds)
