"""A run that is stopped and resumed ends in the weights of the run that was not, bit for bit; driven by the CLI.

`test_killed.py` kills one outright, over and over.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.checkpoints import KEPT, assert_same, last_checkpoint
from support.cli_tools import TINY, config, every, metrics, run

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
    "--data.generation.games=10",
    "--trainer.log_every_n_steps=1",
    # TensorBoard's would have each evaluation's pictures drawn, of which nothing is asked here
    "--trainer.logger={class_path: lightning.pytorch.loggers.CSVLogger, init_args: {save_dir: runs}}",
]


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# by `every` of the longer run alone
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to create the checkpoint")
@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_straight_and_resumed_runs_are_the_same(interval: str) -> None:
    """Anything that a resume loses: moments, schedules, pool, replay window, counters, random streams.

    Resumed both from the end of shorter runs and from checkpoints that a longer run left on its way.
    """
    flags = ["fit", *config("quickstart.yaml"), *SETTINGS, f"--model.lr_interval={interval}"]
    run(*flags, *every(1, "at"), "--trainer.max_epochs=5")
    straight = Path("runs/quickstart/version_0")
    whole = last_checkpoint(straight)
    assert whole["SelfPlayDataModule"]["opponent_pool"]["past"].keys() == {3, 4}

    def resume(version: int, checkpoint: str, epochs: int) -> Path:
        run(*flags, f"--trainer.max_epochs={epochs}", f"--ckpt_path={checkpoint}")
        return Path(f"runs/quickstart/version_{version}")

    for k in (1, 2, 4):
        resumed = resume(k if k < 4 else 3, f"{straight}/checkpoints/at{k}.ckpt", 5)
        for key in KEPT:
            assert_same(whole[key], last_checkpoint(resumed)[key], f"from at{k}: {key}")

    legs = [Path("runs/quickstart/version_4")]
    run(*flags, "--trainer.max_epochs=2")
    for version, epochs in ((5, 3), (6, 5)):
        legs.append(resume(version, f"{legs[-1]}/checkpoints/last.ckpt", epochs))
    for key in KEPT:
        assert_same(whole[key], last_checkpoint(legs[-1])[key], f"in legs: {key}")
    columns = {"train/loss": "epoch", "val/win_rate/random": "epoch", "train/entropy_coef": "epoch", "lr-AdamW": "step"}
    for column, key in columns.items():
        parts: dict[int, float] = {}
        for leg in legs:
            parts |= metrics(leg, column, key)
        assert parts == metrics(straight, column, key), column


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
    run(*flags, "--trainer.max_epochs=1", "--data.replay.save=false")
    assert "replay" not in last_checkpoint("runs/quickstart/version_0")["SelfPlayDataModule"]
    run(*flags, "--trainer.max_epochs=2", "--ckpt_path=runs/quickstart/version_0/checkpoints/last.ckpt")
    assert "no replay window" in caplog.text
    assert last_checkpoint("runs/quickstart/version_1")["global_step"] == 4


def test_checkpoints_are_named_by_iteration() -> None:
    """A file named after the epoch that ended, so that `iter2` would resume at 3."""
    run("fit", *config("quickstart.yaml"), *SETTINGS, *every(2, "every"), "--trainer.max_epochs=4")
    folder = Path("runs/quickstart/version_0/checkpoints")
    assert sorted(path.name for path in folder.glob("every*")) == ["every2.ckpt", "every4.ckpt"]
    loops = torch.load(folder / "every2.ckpt", weights_only=True)["loops"]["fit_loop"]["epoch_progress"]
    assert loops["current"]["processed"] == 2
