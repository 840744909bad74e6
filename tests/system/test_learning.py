"""A run from nothing gets better at the game: the one thing that every part must work together for."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli_tools import config, metrics, run


@pytest.mark.slow
def test_a_short_run_learns_to_beat_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign turned anywhere (values, outcomes, seats, targets), or a network that does not get what it needs."""
    monkeypatch.chdir(tmp_path)
    run(
        "fit",
        *config("quickstart.yaml"),
        "--trainer.accelerator=cpu",
        "--trainer.max_epochs=6",
        "--trainer.check_val_every_n_epoch=6",
        "--data.generation.games=384",
        "--data.generation.simulations=16",
        "--data.steps_per_iteration=40",
        "--data.evaluation.opponents=[random,outcome_heuristic]",
    )
    folder = Path("runs/quickstart/version_0")
    random, heuristic = (metrics(folder, f"val/win_rate/{name}") for name in ("random", "outcome_heuristic"))
    assert random[0] < 0.7 and random[5] > 0.78, random
    assert heuristic[0] < 0.25 and heuristic[5] > heuristic[0] + 0.15, heuristic
    value_loss = metrics(folder, "train/value_loss")
    # outcomes that say nothing of their positions leave it at their variance, about 0.85
    assert value_loss[5] < min(0.45, value_loss[0] - 0.1), value_loss
