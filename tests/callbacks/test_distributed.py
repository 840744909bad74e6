"""All callbacks in two processes: the same values in both, measured on reduced gradients, logged by one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import callbacks

SCRIPT = """
import json, sys
from pathlib import Path
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset
from callbacks import AdaptiveOpponentCallback, EntropyScheduleCallback, GradNormCallback, NonFiniteCallback

class Pool:
    weights, calls = {"easy": 0.5}, []
    def update_weights_from_win_rates(self, win_rates):
        self.calls.append(win_rates)

class PlainLogger(CSVLogger):  # without the base class's guard: writes down every call in every process
    def log_metrics(self, metrics, step=None):
        rank = torch.distributed.get_rank()
        with open(f"{sys.argv[1]}/logged.{rank}", "a") as file:
            print(*metrics, file=file)

class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.entropy_coef, self.pool = None, Pool()
    def training_step(self, batch, batch_idx):
        # one process's loss is infinite once, both gradients are finite
        spoilt = self.current_epoch == 0 and self.global_rank == 1
        return (self.weight * batch[0]).sum() + (float("inf") if spoilt else 0.0)
    def validation_step(self, batch, batch_idx):
        self.log("val/win_rate/easy", batch[0].mean() / 8, sync_dist=True)
    def on_train_end(self):
        names = ["train/grad_norm_pre_clip", "train/grad_norm_post_clip", "train/entropy_coef"]
        seen = {name: float(self.trainer.callback_metrics[name]) for name in names}
        seen |= {"set": self.entropy_coef, "calls": self.pool.calls, "weight": float(self.weight)}
        Path(sys.argv[1], f"seen.{self.global_rank}").write_text(json.dumps(seen))
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

if __name__ == "__main__":
    data = DataLoader(TensorDataset(torch.tensor([2.0, 4.0])), batch_size=1)
    schedule = EntropyScheduleCallback(0.5, 0.0)
    Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, gradient_clip_val=1.5,
        logger=PlainLogger(sys.argv[1]), log_every_n_steps=1, num_sanity_val_steps=0,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[schedule, AdaptiveOpponentCallback("pl_module.pool"), GradNormCallback(), NonFiniteCallback("skip")],
    ).fit(Line(), data, data)
    torch.distributed.destroy_process_group()  # else gloo's threads now and then abort the interpreter at its end
"""


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(callbacks.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    seen = [json.loads((tmp_path / f"seen.{rank}").read_text()) for rank in (0, 1)]
    assert seen[0] == seen[1]
    # One process has the gradient 2, the other 4: reduced, both have 3.
    assert seen[0]["train/grad_norm_pre_clip"] == 3.0
    assert seen[0]["train/grad_norm_post_clip"] == pytest.approx(1.5)
    assert seen[0]["set"] == seen[0]["train/entropy_coef"] == 0.25
    assert seen[0]["calls"] == [{"easy": 0.375}] * 2
    assert seen[0]["weight"] == pytest.approx(-0.15), "both leave out the first step and make the second"
    logged = (tmp_path / "logged.0").read_text().split("\n")
    assert logged.count("opponents/weight/easy epoch") == 2
    assert not (tmp_path / "logged.1").exists() or "opponents" not in (tmp_path / "logged.1").read_text()
