"""The command line's shared defaults, and what it puts in Lightning's place unless something else was configured."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from lightning.pytorch.callbacks import ProgressBar
from support.cli_tools import CONFIGS, TINY, BuiltOnce, config, run

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


@pytest.mark.filterwarnings("ignore:GPU available")
@pytest.mark.parametrize("iterations", [1, 599, 600])
def test_a_run_that_has_no_iteration_left_is_refused(
    iterations: int, iter600: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A resume that plays an evaluation, learns nothing and ends as if all were well; 600 are done at iteration 600."""
    with pytest.raises(SystemExit) as stopped:
        run(
            "fit",
            *config("iter600_to_1000.yaml"),
            *TINY,
            f"--trainer.max_epochs={iterations}",
            "--trainer.logger=false",
            f"--ckpt_path={iter600}",
        )
    assert stopped.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"trainer.max_epochs: {iterations} given" in said and "is of iteration 600; expected more" in said


@pytest.mark.filterwarnings("ignore:GPU available")
@pytest.mark.parametrize("own", [False, True])
def test_a_bar_of_the_users_own_stays(own: bool) -> None:
    """Two bars at once, or one that cannot be replaced; checkpoints that are not written atomically."""
    flags = ["--trainer.callbacks+=lightning.pytorch.callbacks.ProgressBar"] if own else []
    made = BuiltOnce([*config("quickstart.yaml"), "--trainer.accelerator=cpu", *flags], run=False).trainer
    assert type(made.progress_bar_callback) is (ProgressBar if own else SelfPlayProgressBar)
    assert type(made.strategy.checkpoint_io) is AtomicCheckpointIO


@pytest.mark.filterwarnings("ignore:GPU available")
@pytest.mark.parametrize("name", ["quickstart", "connect_four", "iter0_to_600"])
def test_a_configuration_names_its_run_once(name: str) -> None:
    """A folder of another name than the configuration's, for one of the loggers."""
    made = BuiltOnce([*config(f"{name}.yaml"), "--trainer.accelerator=cpu"], run=False)
    assert {logger.log_dir for logger in made.trainer.loggers} == {f"runs/{name}/version_0"}
