"""Trainers for tests, which print, log and save nothing."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer


def quiet_trainer(**options: Any) -> Trainer:
    """Returns a trainer on the CPU without logger, checkpoints, progress bar and summary.

    Args:
        **options: Further arguments of `Trainer`, and any of these that a test wants otherwise.
    """
    silent = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(**(silent | options))
