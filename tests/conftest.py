"""Shared by all tests."""

from __future__ import annotations

import pytest
from cli_tools import TINY, config, run


@pytest.fixture(scope="session")
def iter600(tmp_path_factory: pytest.TempPathFactory):
    """A checkpoint of iteration 600, from 600 real, tiny iterations of the shipped configuration."""
    folder = tmp_path_factory.mktemp("iter600")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(
            "fit",
            *config("iter0_to_600.yaml"),
            *TINY,
            "--evaluate_first=false",
            "--trainer.limit_val_batches=0",
            "--trainer.enable_progress_bar=false",
            "--data.games_per_iteration=1",
            "--data.steps_per_iteration=1",
            "--data.simulations=1",
        )
    return folder / "runs/iter0_to_600/version_0/checkpoints/iter600.ckpt"
