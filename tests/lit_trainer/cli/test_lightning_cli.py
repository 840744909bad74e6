"""The command line's shared defaults, and what it puts in Lightning's place unless something else was configured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar, TQDMProgressBar
from support.cli_tools import CONFIGS, TINY, BuiltOnce, config, run, trained

from lit_trainer import AtomicCheckpointIO, SelfPlayProgressBar
from lit_trainer.cli.lightning_cli import DEFAULTS

ALL = sorted(path.name for path in CONFIGS.glob("*.yaml"))


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("way", ["replace", "add", "flag", "null"])
def test_the_shared_defaults_can_be_replaced_or_added_to(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A list of callbacks or loggers that Lightning's users could no longer set as they know it."""
    key = {"replace": "callbacks", "add": "callbacks+"}.get(way)
    trainer: dict[str, object] = {"logger": False}
    if key:
        trainer[key] = [{"class_path": "lightning.pytorch.callbacks.DeviceStatsMonitor"}]
    if way == "null":
        trainer["callbacks"] = None
    Path("own.yaml").write_text(yaml.safe_dump({"trainer": trainer, "model": {"network": {"init_args": {"width": 8}}}}))
    flags = ["--trainer.callbacks+=lightning.pytorch.callbacks.DeviceStatsMonitor"] if way == "flag" else []
    with pytest.raises(SystemExit):
        run("fit", "--config=own.yaml", *flags, "--print_config")
    found = yaml.safe_load(capsys.readouterr().out)
    shared = yaml.safe_load(DEFAULTS.read_text())
    expected = [] if way in ("replace", "null") else [one["class_path"] for one in shared["trainer"]["callbacks"]]
    expected += [] if way == "null" else ["lightning.pytorch.callbacks.DeviceStatsMonitor"]
    assert [one["class_path"] for one in found["trainer"]["callbacks"] or []] == expected
    assert found["trainer"]["logger"] is False
    assert (
        found["model"]["network"]["init_args"]["width"] == 8 and found["model"]["network"]["init_args"]["blocks"] == 4
    )
    assert found["trainer"]["gradient_clip_val"] == 1.0


def test_a_configuration_says_only_what_is_special_about_it() -> None:
    """Lines that stand in the shared defaults already, or that grow to where nobody sees the special ones."""
    shared = yaml.safe_load(DEFAULTS.read_text())
    for name in ALL:
        text = (CONFIGS / name).read_text()
        assert len([line for line in text.splitlines() if not line.lstrip().startswith("#")]) <= 36, name
        for group, settings in shared.items():
            given = yaml.safe_load(text).get(group, {})
            if isinstance(settings, dict):
                assert not {key for key, value in settings.items() if given.get(key) == value}, (name, group)


BARS: dict[str, type[ProgressBar]] = {
    "": SelfPlayProgressBar,
    "ProgressBar": ProgressBar,
    "TQDMProgressBar": TQDMProgressBar,
    "RichProgressBar": RichProgressBar,
}


@pytest.mark.filterwarnings("ignore:GPU available")
@pytest.mark.parametrize("own", BARS)
def test_a_bar_of_the_users_own_stays(own: str) -> None:
    """Two bars at once, or one that is replaced by another; checkpoints that are not written atomically."""
    bar = f"lightning.pytorch.callbacks.{own}"
    rate = ["--trainer.callbacks.refresh_rate=7"] if own.startswith(("TQDM", "Rich")) else []
    flags = [f"--trainer.callbacks+={bar}", *rate] if own else []
    made = BuiltOnce([*config("quickstart.yaml"), "--trainer.accelerator=cpu", *flags], run=False).trainer
    assert [type(one) for one in made.callbacks if isinstance(one, ProgressBar)] == [BARS[own]]
    assert not rate or made.progress_bar_callback.refresh_rate == 7
    assert type(made.strategy.checkpoint_io) is AtomicCheckpointIO


@pytest.mark.filterwarnings("ignore:GPU available")
@pytest.mark.parametrize("name", ["quickstart", "connect_four", "iter0_to_600"])
def test_a_configuration_names_its_run_once(name: str) -> None:
    """A folder of another name than the configuration's, for one of the loggers."""
    made = BuiltOnce([*config(f"{name}.yaml"), "--trainer.accelerator=cpu"], run=False)
    assert {logger.log_dir for logger in made.trainer.loggers} == {f"runs/{name}/version_0"}


PLATEAU = "ReduceLROnPlateau"


@pytest.mark.filterwarnings("ignore:GPU available")
def test_a_schedule_that_follows_a_metric_keeps_its_monitor(tmp_path: Path) -> None:
    """A traceback once the run's folder is made."""
    Path("plateau.yaml").write_text(
        yaml.safe_dump(
            {
                "model": {
                    "lr_scheduler": {
                        "class_path": f"lightning.pytorch.cli.{PLATEAU}",
                        "init_args": {"monitor": "val/mean_win_rate", "mode": "max"},
                    }
                }
            }
        )
    )
    made = BuiltOnce(["--config=plateau.yaml", "--trainer.accelerator=cpu"], run=False)
    found = made.model.configure_optimizers()["lr_scheduler"]
    assert type(found["scheduler"]).__name__ == PLATEAU and found["scheduler"].mode == "max"
    assert found["monitor"] == "val/mean_win_rate"


@pytest.mark.parametrize("package", ["lightning.pytorch.cli", "torch.optim.lr_scheduler"])
def test_a_schedule_without_its_metric_ends_in_one_line(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("fit", "--trainer.accelerator=cpu", f"--model.lr_scheduler={package}.{PLATEAU}")
    assert "monitor" in capsys.readouterr().err.splitlines()[-1]
    assert list(Path().iterdir()) == []


WEIGHTS = "runs/quickstart/version_{}/checkpoints/last.ckpt"
BRIEF = ["--trainer.max_epochs=1", "--evaluate_first=false", "--trainer.limit_val_batches=0"]


def test_the_saved_configuration_is_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed of the environment that seeds torch and not the games, and that the saved number then seeds otherwise."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    first = trained("fit", *config("quickstart.yaml"), *TINY, *BRIEF, "--seed_everything=true")
    monkeypatch.delenv("PL_GLOBAL_SEED")
    again = trained("fit", "--config=runs/quickstart/version_0/config.yaml")
    assert first.datamodule.seed == again.datamodule.seed == 7
    old, new = (torch.load(WEIGHTS.format(number), weights_only=True)["state_dict"] for number in range(2))
    assert all(torch.equal(value, new[key]) for key, value in old.items())


def test_a_seed_of_the_environment_that_is_no_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "many")
    with pytest.raises(SystemExit) as stopped:
        run("fit", *config("quickstart.yaml"), *TINY, "--seed_everything=true")
    message = capsys.readouterr().err
    assert stopped.value.code == 2 and "PL_GLOBAL_SEED: 'many' given" in message and "Traceback" not in message


def test_a_run_without_a_logger_overwrites_nothing(tmp_path: Path) -> None:
    """The configuration that it was started with, comments and all."""
    own = "# mine\ntrainer: {logger: false, callbacks: [{class_path: lit_trainer.EvaluationReport}]}\n"
    for name in ("config.yaml", "learning_curve.png"):
        Path(name).write_text(own)
    flags = [*TINY, *BRIEF[:2], "--trainer.check_val_every_n_epoch=1", "--data.evaluation.opponents=[random]"]
    run("fit", *config("quickstart.yaml"), "--config=config.yaml", *flags)
    assert {Path(name).read_text() for name in ("config.yaml", "learning_curve.png")} == {own}
    written = {path.name for path in Path("runs/quickstart/version_0").iterdir()}
    assert written == {"checkpoints", "config.yaml", "learning_curve.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "learning_curve.png", "runs"}


NETWORK = """
import os
from pathlib import Path
from lit_trainer import ResidualMLP

class Net(ResidualMLP):
    pass

Path(f"imported-{os.getpid()}").touch()
"""


@pytest.mark.slow
def test_a_named_package_is_imported_in_workers_and_when_resuming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A game that is known where the run is started, and not where its games are played or when it goes on."""
    monkeypatch.setattr("lit_trainer.utils.packages._named", ())
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "named_by_flag.py").write_text(NETWORK)
    run("fit", *config("quickstart.yaml"), *TINY, *BRIEF, "--import=named_by_flag", "--data.workers.count=1")
    assert len(list(tmp_path.glob("imported-*"))) == 2, "the trainer and its worker"
    folder = Path("runs/quickstart/version_0")
    assert yaml.safe_load((folder / "config.yaml").read_text())["import"] == "named_by_flag"
    del sys.modules["named_by_flag"]
    run(
        "fit", f"--config={folder}/config.yaml", "--trainer.max_epochs=2", f"--ckpt_path={folder}/checkpoints/last.ckpt"
    )
    assert "named_by_flag" in sys.modules
