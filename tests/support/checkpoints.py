"""Reads and compares the checkpoints of two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

KEPT = ("state_dict", "optimizer_states", "lr_schedulers", "SelfPlayDataModule", "global_step")
"""The parts of a checkpoint that a resumed run must end in as the run that was never stopped."""


def last_checkpoint(folder: str | Path) -> dict[str, Any]:
    return torch.load(f"{folder}/checkpoints/last.ckpt", weights_only=True)


def assert_same(one: Any, other: Any, at: str = "") -> None:
    """Asserts that two values are equal bit for bit, however they are nested."""
    assert type(one) is type(other), at
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other), at
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), at
        for key in one:
            assert_same(one[key], other[key], f"{at}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), at
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{at}[{k}]")
    else:
        assert one == other, at
