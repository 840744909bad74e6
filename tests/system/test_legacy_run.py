"""A run's checkpoint and configuration that were written before every module moved: both stay usable."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.cli_tools import ROOT, metrics, run

from lit_trainer import OpponentPool, ResidualMLP, load_agent
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.cli.moved_settings import MOVED
from lit_trainer.measuring.contestants import load_contestants
from lit_trainer.play.thinkers import make_thinker
from lit_trainer.players.frozen import FrozenCheckpoint
from sim_core import State

LEGACY = ROOT / "tests/data/legacy_run"
CHECKPOINT = LEGACY / "last.ckpt"

pytestmark = pytest.mark.filterwarnings(
    "ignore:The number of training batches:UserWarning", "ignore:Be aware that when using `ckpt_path`:UserWarning"
)


def settings_of_today() -> dict[str, Any]:
    """Returns the saved configuration with its old class paths, and data settings under today's names."""
    settings: dict[str, Any] = yaml.safe_load((LEGACY / "config.yaml").read_text())
    data = settings["data"]
    generation = ("simulations", "search", "evaluator", "value_target", "parallel_games", "threads")
    data["generation"] = {name: data.pop(name) for name in generation} | {"games": data.pop("games_per_iteration")}
    data["replay"] = {"positions": data.pop("replay_positions"), "save": data.pop("save_replay")}
    data["evaluation"] = {
        name: data.pop(f"evaluation_{name}") for name in ("opponents", "games", "simulations", "search")
    }
    data["test"] = {name: data.pop(f"test_{name}") for name in ("opponents", "games", "simulations")}
    assert not data.pop("asynchronous")  # the trainer played the games itself
    for name in ("workers", "max_staleness", "worker_timeout", "worker_device"):
        del data[name]
    return settings


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns the flag that names these settings, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    Path("legacy.yaml").write_text(yaml.safe_dump(settings_of_today()))
    return "--config=legacy.yaml"


def test_its_old_settings_are_named_in_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if a user has to try twenty times, once for each old name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run("fit", f"--config={LEGACY / 'config.yaml'}", "--data.evaluation_search.c_puct", "1.0")
    message = capsys.readouterr().err
    assert stopped.value.code == 2 and "Traceback" not in message and message.count("error: ") == 1
    old = yaml.safe_load((LEGACY / "config.yaml").read_text())["data"]
    kept = {"game", "opponent_pool", "steps_per_iteration", "batch_size", "temperature"}
    for name in {f"data.{name}" for name in old if name not in kept}:
        assert f"{name} is now {MOVED[name]}" in message, name
    assert "data.evaluation_search.c_puct is now data.evaluation.search.c_puct" in message
    assert list(tmp_path.iterdir()) == []


def test_the_run_goes_on(config: str) -> None:
    run("fit", config, "--trainer.max_epochs=3", f"--ckpt_path={CHECKPOINT}")
    folder = Path("runs/legacy/version_0")
    before = torch.load(CHECKPOINT, weights_only=True)
    after = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    assert after["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] == 3
    assert after["global_step"] == before["global_step"] + 4
    steps = [state["step"] for run in (before, after) for state in run["optimizer_states"][0]["state"].values()]
    assert set(map(float, steps)) == {8.0, 12.0}
    # the schedule goes on where it was, and the optimizer's settings are those of the run that wrote it
    rate = 0.001 * (1 + math.cos(math.pi * 3 / 4)) / 2
    assert after["lr_schedulers"][0]["_last_lr"] == pytest.approx([rate])
    pools = [run["SelfPlayDataModule"]["opponent_pool"] for run in (before, after)]
    assert (pools[0]["past"].keys(), pools[1]["past"].keys()) == ({1}, {1, 2})
    assert all(torch.equal(pools[0]["past"][1][key], value) for key, value in pools[1]["past"][1].items())
    windows = [run["SelfPlayDataModule"]["replay"] for run in (before, after)]
    assert windows[1]["added"] > windows[0]["added"]
    history = [run["callbacks"]["EvaluationReport"]["history"] for run in (before, after)]
    for name, points in history[0].items():
        assert points.items() <= history[1][name].items()
    assert metrics(folder, "val/win_rate/random").keys() == {2}
    assert after["lit_alphazero"]["network"]["class_path"] == "lit_trainer.ResidualMLP"


def test_it_is_measured_and_its_record_of_before_still_fits(config: str, tmp_path: Path) -> None:
    run("test", config, f"--ckpt_path={CHECKPOINT}")
    record = next(tmp_path.rglob("test.json"))
    facts = json.loads(record.read_text())
    assert (facts["iteration"], facts["network"]["class_path"]) == (2, "lit_trainer.ResidualMLP")
    facts["network"]["class_path"] = "lit_trainer.networks.ResidualMLP"  # as `test` wrote it then
    record.write_text(json.dumps(facts))
    run("export", f"--ckpt_path={CHECKPOINT}", "--out=player", f"--test_json={record}")
    assert "Unmeasured" not in Path("player/README.md").read_text()


def test_it_plays(tmp_path: Path) -> None:
    state = State.initial(seed=3)
    legal = state.legal_actions()
    for simulations in (0, 8):
        assert load_agent(CHECKPOINT, simulations).select_action(state, legal) in legal
        assert make_thinker(str(CHECKPOINT), simulations=simulations).think(state).action in legal
    game, contestants = load_contestants([f"{CHECKPOINT}@4", "random"], None)
    assert game == "beasty_bar" and (contestants[0].iteration, contestants[0].simulations) == (2, 4)
    shutil.copy(CHECKPOINT, tmp_path / "old.ckpt")
    pool = OpponentPool(checkpoints={"old": {"path": str(tmp_path / "old.ckpt")}})
    frozen = pool.roster["old"]
    assert isinstance(frozen, FrozenCheckpoint) and type(frozen.network) is ResidualMLP


@pytest.mark.parametrize("name", ["checkpoints/iter600.ckpt", "tests/data/legacy_run/last.ckpt"])
def test_a_checkpoint_that_names_its_network_by_the_old_path_is_read(name: str) -> None:
    checkpoint = Checkpoint.read(ROOT / name).contents
    assert checkpoint["lit_alphazero"]["network"]["class_path"] == "lit_trainer.networks.ResidualMLP"
    network = Checkpoint(checkpoint).network
    assert type(network) is ResidualMLP
    for key, value in network.state_dict().items():
        assert torch.equal(value, checkpoint["state_dict"][f"network.{key}"])
