"""Runs that are started at one time write into folders of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from lit_trainer import EvaluationReport
from lit_trainer.cli.run_folders import FolderError, RunFolders, RunTrainer, name_loggers


def started(folder: Path, **options: Any) -> tuple[Trainer, RunFolders]:
    """Returns a run that knows its number and has made no folder yet."""
    loggers = [TensorBoardLogger(folder, "a", **options), CSVLogger(folder, "a", **options)]
    trainer = RunTrainer(accelerator="cpu", logger=loggers, default_root_dir=folder, enable_checkpointing=False)
    return trainer, RunFolders(trainer)


def folders(trainer: Trainer) -> list[str]:
    return [Path(str(logger.log_dir)).name for logger in trainer.loggers]


@pytest.mark.filterwarnings("ignore:GPU available")
def test_runs_that_start_at_one_time_share_no_folder(tmp_path: Path) -> None:
    """Two runs' checkpoints under one name, of which the later takes the earlier's place."""
    runs = [started(tmp_path) for _ in range(6)]
    assert {name for trainer, _ in runs for name in folders(trainer)} == {"version_0"}, "they all looked first"
    together = threading.Barrier(len(runs))

    def claim(run: RunFolders) -> None:
        together.wait()
        run.claim()

    threads = [threading.Thread(target=claim, args=[run]) for _, run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(set(folders(trainer))) == 1 for trainer, _ in runs), "a run's loggers part"
    expected = [f"version_{k}" for k in range(6)]
    assert sorted(folders(trainer)[0] for trainer, _ in runs) == expected
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == expected


def test_a_folder_that_was_asked_for_is_left_as_it_is(tmp_path: Path) -> None:
    """A resumed run that is to write on in its folder."""
    for _ in range(2):
        trainer, run = started(tmp_path, version=7)
        run.claim()
        assert folders(trainer) == ["version_7", "version_7"]


def test_loggers_in_different_folders_keep_one_number(tmp_path: Path) -> None:
    """A number that is free for one logger and taken for the other."""
    (tmp_path / "b" / "version_0").mkdir(parents=True)
    loggers = [TensorBoardLogger(tmp_path, "a"), CSVLogger(tmp_path, "b", version=None)]
    trainer = RunTrainer(accelerator="cpu", logger=loggers, default_root_dir=tmp_path, enable_checkpointing=False)
    run = RunFolders(trainer)
    (tmp_path / "b" / "version_1").mkdir()  # by another run, meanwhile
    run.claim()
    assert folders(trainer) == ["version_2", "version_2"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["version_2"]


@pytest.mark.parametrize("given", [None, True, "list", "one"])
def test_only_a_logger_without_a_name_takes_the_run_s(given: object) -> None:
    """A folder that no configuration named, or a name of the user's own that is overwritten."""
    unnamed, own = Namespace(save_dir="runs", name="lightning_logs"), Namespace(save_dir="runs", name="mine")
    loggers = [Namespace(class_path="CSVLogger", init_args=arguments) for arguments in (unnamed, own)]
    other = Namespace(class_path="WandbLogger", init_args=Namespace(name=None))
    value = {"list": [*loggers, other, Namespace(class_path="Own")], "one": loggers[0]}.get(str(given), given)
    name_loggers(Namespace(run_name="a", trainer=Namespace(logger=value)))
    assert unnamed.name == ("a" if given in ("list", "one") else "lightning_logs")
    assert (own.name, other.init_args.name) == ("mine", None)


class Elsewhere(Logger):
    """A logger that keeps no run in a folder, as W&B's."""

    name = version = "a"
    save_dir = "."

    def log_metrics(self, metrics: Any, step: int | None = None) -> None: ...

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None: ...


LOGGERS: dict[str, Callable[[], Any]] = {
    "none": lambda: False,
    "elsewhere": lambda: [Elsewhere()],
    "a folder later in the list": lambda: [Elsewhere(), CSVLogger("runs", "a")],
}


@pytest.mark.filterwarnings("ignore:GPU available")
@pytest.mark.parametrize("way", LOGGERS)
def test_a_run_has_a_numbered_folder_whatever_its_loggers_are(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of a run in the folder that it was started in, in place of the user's."""
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        trainer = RunTrainer(accelerator="cpu", logger=LOGGERS[way](), enable_checkpointing=False)
        RunFolders(trainer, "a").claim()
        expected = tmp_path / "runs" / "a" / f"version_{number}"
        assert trainer.log_dir is not None and Path(trainer.log_dir).resolve() == expected and expected.is_dir()
        assert Path(trainer.default_root_dir) == (expected if way == "none" else tmp_path)


def with_checkpoints(folder: Path, logger: Any = False, **options: Any) -> RunFolders:
    """A run that would write a learning curve and a checkpoint."""
    saving = ModelCheckpoint(**{"filename": "last", "enable_version_counter": False, **options})
    trainer = RunTrainer(
        accelerator="cpu", logger=logger, default_root_dir=folder, callbacks=[EvaluationReport(), saving]
    )
    return RunFolders(trainer)


@pytest.mark.filterwarnings("ignore:GPU available")
@pytest.mark.parametrize(
    "name", ["metrics.csv", "hparams.yaml", "learning_curve.png", "test.json", "checkpoints/last.ckpt"]
)
def test_a_file_in_a_folder_that_was_asked_for_is_refused(name: str, tmp_path: Path) -> None:
    """Metrics that Lightning deletes, or a picture or a checkpoint of an earlier run that is written over."""
    folder = tmp_path / "a" / "version_7"
    run = with_checkpoints(tmp_path, CSVLogger(tmp_path, "a", version=7))
    run.check()
    (folder / name).parent.mkdir(parents=True)
    (folder / "mine.txt").touch()
    run.check()
    (folder / name).write_text("mine")
    with pytest.raises(FolderError, match=rf"^trainer\.logger: .*{Path(name).name}' exists already"):
        run.check()
    run.check(may_overwrite=True)


@pytest.mark.filterwarnings("ignore:GPU available")
@pytest.mark.parametrize(
    ("options", "taken", "free"),
    [
        ({}, "last.ckpt", "iter50.ckpt"),
        ({"filename": "iter{iteration:.0f}"}, "iter50.ckpt", "last.ckpt"),
        ({"filename": None}, "epoch=0-step=2.ckpt", "last.ckpt"),
        ({"filename": "a", "save_last": True}, "last.ckpt", "iter50.ckpt"),
        ({"filename": "[a]{epoch}"}, "[a]epoch=3.ckpt", "aepoch=3.ckpt"),
        ({"enable_version_counter": True}, None, "last.ckpt"),
    ],
)
def test_only_the_resumed_checkpoint_is_written_over(
    options: dict[str, Any], taken: str | None, free: str, tmp_path: Path
) -> None:
    """A checkpoint of another run, lost in a folder that two runs share."""
    run = with_checkpoints(tmp_path, dirpath=tmp_path, **options)
    (tmp_path / free).touch()
    run.check()
    if taken is not None:
        (tmp_path / taken).touch()
        with pytest.raises(FolderError, match=r"^trainer\.callbacks\.ModelCheckpoint\.dirpath: .* exists already"):
            run.check(resumed=tmp_path / free)
        run.check(resumed=tmp_path / taken)
