"""Runs that are started at one time write into folders of their own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from lit_trainer.cli.run_folders import RunFolders, name_loggers


def started(folder: Path, **options: Any) -> tuple[Trainer, RunFolders]:
    """Returns a run that knows its number and has made no folder yet."""
    loggers = [TensorBoardLogger(folder, "a", **options), CSVLogger(folder, "a", **options)]
    trainer = Trainer(accelerator="cpu", logger=loggers, default_root_dir=folder, enable_checkpointing=False)
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
    trainer = Trainer(accelerator="cpu", logger=loggers, default_root_dir=tmp_path, enable_checkpointing=False)
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
