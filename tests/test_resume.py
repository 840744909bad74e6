"""A run that is stopped and resumed ends in the weights of the run that was not, bit for bit; driven by the CLI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from cli_tools import TINY, config, metrics, run

SETTINGS = [
    *TINY,
    "--evaluate_first=false",
    "--trainer.check_val_every_n_epoch=2",
    "--trainer.callbacks+=callbacks.AdaptiveOpponentCallback",
    "--data.opponent_pool=lit_trainer.AdaptiveOpponentPool",
    "--data.opponent_pool.opponents=[random,online,outcome_heuristic]",
    "--data.opponent_pool.past_share=0.3",
    "--data.opponent_pool.max_past=2",
    "--data.opponent_pool.snapshot_every=1",
    "--data.games_per_iteration=10",
]


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def last_checkpoint(folder: str) -> dict[str, Any]:
    return torch.load(f"{folder}/checkpoints/last.ckpt", weights_only=True)


def assert_same(one: Any, other: Any, at: str = "") -> None:
    """Equal bit for bit, whatever is nested."""
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


@pytest.mark.parametrize("stops", [[3], [2, 3, 4]])
@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_straight_and_resumed_runs_are_the_same(stops: list[int], interval: str) -> None:
    """Anything that a resume loses: moments, schedules, pool, replay window, counters, random streams."""
    flags = ["fit", *config("quickstart.yaml"), *SETTINGS, f"--model.lr_interval={interval}"]
    run(*flags, "--trainer.max_epochs=5")
    checkpoint: list[str] = []
    for k, epochs in enumerate([*stops, 5]):
        run(*flags, f"--trainer.max_epochs={epochs}", *checkpoint)
        checkpoint = [f"--ckpt_path=runs/quickstart/version_{k + 1}/checkpoints/last.ckpt"]
    straight, resumed = (
        last_checkpoint("runs/quickstart/version_0"),
        last_checkpoint(f"runs/quickstart/version_{k + 1}"),
    )
    for key in (
        "state_dict",
        "optimizer_states",
        "lr_schedulers",
        "SelfPlayDataModule",
        "epoch",
        "global_step",
    ):
        assert_same(straight[key], resumed[key], key)
    assert straight["SelfPlayDataModule"]["opponent_pool"]["past"].keys() == {3, 4}
    for column in ("train/loss", "val/win_rate/random", "train/entropy_coef", "lr-AdamW"):
        whole = metrics(Path("runs/quickstart/version_0"), column)
        parts: dict[int, float] = {}
        for version in range(1, k + 2):
            parts |= metrics(Path(f"runs/quickstart/version_{version}"), column)
        assert parts == whole, column


def test_the_same_seed_gives_the_same_run_and_another_does_not() -> None:
    for seed in (1, 1, 2):
        run(
            "fit",
            *config("quickstart.yaml"),
            *SETTINGS,
            "--trainer.max_epochs=2",
            f"--seed_everything={seed}",
        )
    first, second, other = (last_checkpoint(f"runs/quickstart/version_{k}") for k in range(3))
    assert_same(first["state_dict"], second["state_dict"])
    name = "network.stem.weight"
    assert not torch.equal(first["state_dict"][name], other["state_dict"][name])


def test_a_checkpoint_without_replay_refills_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    flags = ["fit", *config("quickstart.yaml"), *SETTINGS]
    run(*flags, "--trainer.max_epochs=1", "--data.save_replay=false")
    assert "replay" not in last_checkpoint("runs/quickstart/version_0")["SelfPlayDataModule"]
    run(*flags, "--trainer.max_epochs=2", "--ckpt_path=runs/quickstart/version_0/checkpoints/last.ckpt")
    assert "no replay window" in caplog.text
    assert last_checkpoint("runs/quickstart/version_1")["epoch"] == 1


def test_checkpoints_are_named_by_iteration() -> None:
    """A file named after the epoch that ended, so that `iter2` would resume at 3."""
    run(
        "fit", *config("quickstart.yaml"), *SETTINGS, "--trainer.max_epochs=4",
        "--trainer.callbacks+=lightning.pytorch.callbacks.ModelCheckpoint",
        "--trainer.callbacks.init_args.filename=every{iteration:.0f}",
        "--trainer.callbacks.init_args.auto_insert_metric_name=false",
        "--trainer.callbacks.init_args.every_n_epochs=2",
        "--trainer.callbacks.init_args.save_top_k=-1",
        "--trainer.callbacks.init_args.save_on_train_epoch_end=true",
    )  # fmt: skip
    folder = Path("runs/quickstart/version_0/checkpoints")
    assert sorted(path.name for path in folder.glob("every*")) == ["every2.ckpt", "every4.ckpt"]
    loops = torch.load(folder / "every2.ckpt", weights_only=True)["loops"]["fit_loop"]["epoch_progress"]
    assert loops["current"]["processed"] == 2
