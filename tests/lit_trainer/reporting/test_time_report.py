"""Where the time went, as real runs print it at their end."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from support.cli_tools import TINY, config, metrics, trained
from torch.utils.data import DataLoader, TensorDataset

from lit_trainer.cli.lightning_cli import LitTrainerCLI
from lit_trainer.reporting.time_report import TimeReport

STEP, VALIDATION, END = 0.1, 0.3, 0.2


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Slow(Callback):
    """Takes a known time in each part of an iteration but playing."""

    def on_after_backward(self, *args: Any) -> None:
        time.sleep(STEP)

    def on_validation_epoch_start(self, *args: Any) -> None:
        time.sleep(VALIDATION)

    def on_train_epoch_end(self, *args: Any) -> None:
        time.sleep(END)


def report_of(cli: LitTrainerCLI) -> TimeReport:
    (report,) = [callback for callback in cli.trainer.callbacks if isinstance(callback, TimeReport)]  # type: ignore[attr-defined]
    return report


def printed(output: str) -> dict[str, float]:
    """The table's rows: the last number of each by its name."""
    table = output[output.index("Where the time went") :]
    rows = re.findall(r"^ +([a-z][^\d\n]+?) {2,}.*?([\d.,]+)(?: %)? *$", table, re.MULTILINE)
    return {name.strip(): float(number.replace(",", "")) for name, number in rows}


def test_each_part_gets_its_own_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Evaluation counted as learning, an evaluation before the run counted at all, means over a wrong number."""
    start = time.perf_counter()
    flags = [f"--trainer.callbacks+={__name__}.Slow", "--trainer.max_epochs=3"]
    cli = trained("fit", *config("quickstart.yaml"), *TINY, *flags, "--trainer.check_val_every_n_epoch=2")
    passed = time.perf_counter() - start
    report, rows = report_of(cli), printed(capsys.readouterr().out)
    seconds = report.seconds
    assert report.iterations == 3
    assert 6 * STEP <= seconds["learning"] < passed - 2 * VALIDATION - 3 * END
    assert VALIDATION <= seconds["evaluation"] < passed - 6 * STEP - 3 * END
    assert seconds["the rest"] >= 3 * END
    assert 0 < seconds["playing"] < passed - 2 * VALIDATION - 6 * STEP - 3 * END
    parts = [rows[name] for name in ("playing", "learning", "evaluation", "the rest")]
    assert sum(parts) == pytest.approx(100, abs=0.3)
    assert rows["seconds per iteration"] == pytest.approx(sum(seconds.values()) / 3, abs=1e-3)


def test_self_play_s_numbers_are_those_of_all_iterations(capsys: pytest.CaptureFixture[str]) -> None:
    """The last iteration's only, or a mean of rates in which short iterations count as much as long ones."""
    flags = [*config("quickstart.yaml"), *TINY, "--trainer.max_epochs=3", "--trainer.limit_val_batches=0"]
    cli = trained("fit", *flags, "--evaluate_first=false")
    rows = printed(capsys.readouterr().out)
    shares = {name: rows[f"self-play: {name}"] for name in ("forward", "tree", "encoding", "opponents", "waiting")}
    assert sum(shares.values()) == pytest.approx(100, abs=0.3) and shares["forward"] > 1
    folder = Path("runs/quickstart/version_0")
    logged = {name: metrics(folder, f"selfplay/{name}") for name in ("seconds", "games", "positions", "forward_share")}
    seconds = sum(logged["seconds"].values())
    assert len(logged["seconds"]) == 3
    assert rows["games per second of self-play"] == pytest.approx(18 / seconds, abs=0.6)
    positions = sum(logged["positions"].values())
    assert rows["positions per second of self-play"] == pytest.approx(positions / seconds, abs=0.6)
    forward = sum(share * logged["seconds"][k] for k, share in logged["forward_share"].items()) / seconds
    assert shares["forward"] == pytest.approx(100 * forward, abs=0.06)
    assert rows["simulations per second of self-play"] > 0
    assert rows["games per second of the run"] == pytest.approx(18 / sum(report_of(cli).seconds.values()), abs=0.6)
    assert not {"the trainer waits for games", "games dropped, in all"} & rows.keys()


@pytest.mark.slow
def test_an_asynchronous_run_says_how_long_the_trainer_waited(capsys: pytest.CaptureFixture[str]) -> None:
    """Workers' rows that are missing, or shares of something else than the run's time."""
    flags = ["--data.workers.count=1", "--evaluate_first=false", "--trainer.limit_val_batches=0"]
    cli = trained("fit", *config("quickstart.yaml"), *TINY, *flags, "--trainer.max_epochs=4")
    rows = printed(capsys.readouterr().out)
    folder = Path("runs/quickstart/version_0")
    assert "playing" not in rows and rows["waiting for games"] > 1
    waited = metrics(folder, "selfplay/wait_share")
    assert 100 * min(waited.values()) - 0.1 <= rows["the trainer waits for games"] <= 100 * max(waited.values()) + 0.1
    positions, staleness = metrics(folder, "selfplay/positions"), metrics(folder, "selfplay/staleness")
    mean = sum(staleness[k] * positions[k] for k in positions) / sum(positions.values())
    assert rows["staleness of positions, iterations"] == pytest.approx(mean, abs=0.006)
    dropped = sum(metrics(folder, "selfplay/dropped_games").values())
    assert rows["games dropped, in all"] == pytest.approx(dropped)
    assert report_of(cli).iterations == 4


class Plain(LightningModule):
    """Anybody's module."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss: torch.Tensor = self.layer(batch[0]).square().mean()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_run_without_self_play_prints_none(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[TimeReport()],
    )
    trainer.fit(Plain(), DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2))
    assert trainer.current_epoch == 2
    assert "Where the time went" not in capsys.readouterr().out
