"""The line of games in the progress bar: whose games it shows, and that it leaves no listener behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel

from lit_trainer import SelfPlayProgressBar


class Playing(BoringDataModule):
    """Somebody else's data module that tells how far its games are."""

    def __init__(self) -> None:
        super().__init__()
        self.on_progress: list[Any] = []


class Shown(SelfPlayProgressBar):
    """Notes the games that it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: list[str] = []
        self.listeners: list[int] = []

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        for listener in getattr(trainer.datamodule, "on_progress", []):  # type: ignore[attr-defined]
            listener(1.0, 4)
            self.labels.append(self.progress.tasks[-1].description if self.progress else "")
            listener(4.0, 4)
        self.listeners.append(len(getattr(trainer.datamodule, "on_progress", [])))  # type: ignore[attr-defined]
        super().on_train_batch_end(trainer, *args, **kwargs)


@pytest.mark.parametrize("data", [Playing(), BoringDataModule()], ids=["playing", "another project's"])
def test_games_are_shown_while_they_are_played_and_nobody_listens_after(
    data: LightningDataModule, tmp_path: Path
) -> None:
    bar = Shown()
    trainer = Trainer(
        max_epochs=1, limit_train_batches=2, limit_val_batches=0, accelerator="cpu", default_root_dir=tmp_path,
        enable_model_summary=False, logger=False, enable_checkpointing=False, callbacks=[bar],
    )  # fmt: skip
    trainer.fit(BoringModel(), data)
    playing = isinstance(data, Playing)
    assert bar.listeners == [int(playing)] * 2
    assert len(bar.labels) == 2 * playing and all("Self-play" in label for label in bar.labels)
    assert getattr(data, "on_progress", []) == []


def test_a_run_that_ends_within_games_leaves_nothing_to_the_next_one(tmp_path: Path) -> None:
    """A listener that stays, and a line of games that the next run's display does not know."""

    class Interrupted(Shown):
        ends = True

        def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
            if self.ends:
                trainer.datamodule.on_progress[0](1.0, 4)  # type: ignore[attr-defined]
                raise RuntimeError("stop")
            super().on_train_batch_end(trainer, *args, **kwargs)

    bar, data = Interrupted(), Playing()

    def fit() -> None:
        Trainer(
            max_epochs=1, limit_train_batches=2, limit_val_batches=0, accelerator="cpu", default_root_dir=tmp_path,
            enable_model_summary=False, logger=False, enable_checkpointing=False, callbacks=[bar],
        ).fit(BoringModel(), data)  # fmt: skip

    with pytest.raises(RuntimeError, match="stop"):
        fit()
    assert data.on_progress == []
    bar.ends = False
    fit()
    assert bar.listeners == [1, 1] and all("Self-play" in label for label in bar.labels)
