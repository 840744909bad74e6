"""The checkpoints that come with the project: small, loadable, as strong as said, and the plan goes on from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli_tools import config, metrics, run

from lit_trainer import make_evaluator
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.measuring.matches import play_match
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from sim_core import get_game

ROOT = Path(__file__).parents[2]
SHIPPED = {600: ROOT / "checkpoints" / "iter600.ckpt", 1000: ROOT / "checkpoints" / "iter1000.ckpt"}


@pytest.mark.parametrize("iteration", SHIPPED)
def test_they_are_what_their_names_say(iteration: int) -> None:
    path = SHIPPED[iteration]
    assert path.stat().st_size < 20e6
    checkpoint = Checkpoint.read(path).contents
    assert Checkpoint(checkpoint).iteration == iteration
    assert "replay" not in checkpoint["SelfPlayDataModule"]


@pytest.mark.parametrize("iteration", SHIPPED)
@pytest.mark.parametrize(("name", "least"), [("outcome_heuristic", 0.86), ("heuristic", 0.90), ("random", 0.98)])
def test_the_policy_alone_is_as_strong_as_said(iteration: int, name: str, least: float) -> None:
    """Fails if rules, observation, network or actions differ from those it learned with."""
    evaluator = make_evaluator(Checkpoint.read(SHIPPED[iteration]).network.eval(), "torch")
    player = NetworkPlayer(evaluator, simulations=0, temperature=0.0, seed=1)
    outcomes = play_match(player, BuiltinPlayer(name, 2), 1000, game="beasty_bar", seed=3).outcomes
    assert ((outcomes + 1) / 2).mean() > least


@pytest.mark.parametrize("name", ["outcome_heuristic", "distilled_outcome"])
def test_iter1000_nearly_always_beats_an_opponent_that_it_is_told(name: str) -> None:
    """Fails if model, beliefs or condition are those of another opponent or player: without them it scores 95 %."""
    evaluator = make_evaluator(Checkpoint.read(SHIPPED[1000]).network.eval(), "torch")
    assert getattr(evaluator, "condition_size", 0) > len(get_game("beasty_bar").opponents)
    player = NetworkPlayer(evaluator, simulations=16, temperature=0.0, seed=1, opponent_model=name)
    match = play_match(player, BuiltinPlayer(name, 2), 600, game="beasty_bar", seed=3)
    assert ((match.outcomes + 1) / 2).mean() > 0.98


@pytest.mark.slow
def test_the_plan_goes_on_from_iteration_600(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if the configuration, except for an iteration's size, cannot go on from the shipped checkpoint."""
    monkeypatch.chdir(ROOT)
    flags = [
        "--trainer.max_epochs=601",
        "--trainer.check_val_every_n_epoch=601",
        f"--trainer.default_root_dir={tmp_path}",
    ]
    flags += ["--data.generation.games=64", "--data.steps_per_iteration=2", "--data.batch_size=64"]
    flags += ["--data.generation.simulations=2", "--trainer.enable_progress_bar=false"]
    flags += [
        f"--trainer.logger={{class_path: lightning.pytorch.loggers.CSVLogger, init_args: {{save_dir: {tmp_path}}}}}"
    ]
    run("fit", *config("iter600_to_1000.yaml", "profiles/laptop.yaml"), *flags)
    folder = next(tmp_path.glob("iter600_to_1000/version_*"))
    assert metrics(folder, "train/entropy_coef") == {600: pytest.approx(0.04)}
    assert metrics(folder, "iteration") == {600: 601.0}
    assert (folder / "checkpoints" / "last.ckpt").is_file()
