"""Chooses where a run writes: folders that can be written, and a numbered one that no other run has."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

UNNAMED = "lightning_logs"
"""Lightning's name for the runs of a logger that was given none."""


def name_loggers(settings: Namespace) -> None:
    """Gives the run's name to each logger that was given none.

    Args:
        settings: A subcommand's parsed settings, changed in place: ``run_name`` becomes the ``name`` of the loggers
            under ``trainer.logger``.
    """
    loggers = settings.trainer.logger
    for logger in loggers if isinstance(loggers, list) else [loggers]:
        arguments = logger.get("init_args") if isinstance(logger, Namespace) else None
        if arguments is not None and arguments.get("name") == UNNAMED:
            arguments.name = settings.run_name


class FolderError(OSError):
    """Says that a folder cannot be written, and which setting names it."""


class RunFolders:
    """Checks and makes the folders of a trainer's loggers and checkpoints.

    Each logger that numbers its runs takes its number now, before any logger makes a folder, so that the numbers agree.

    Args:
        trainer: The trainer, before it has run.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._numbered: list[CSVLogger | TensorBoardLogger] = [
            logger
            for logger in trainer.loggers
            if isinstance(logger, CSVLogger | TensorBoardLogger) and logger._version is None
        ]
        for logger in trainer.loggers:
            _ = logger.version

    def check(self) -> None:
        """Tests that each folder, or the one it would be made in, can be written. Leaves nothing there.

        Raises:
            FolderError: A folder cannot be written.
        """
        for field, folder in self._named() if self.trainer.is_global_zero else ():
            try:
                _try_writing(Path(folder))
            except OSError as error:
                raise FolderError(f"{field}: the folder {folder!r} cannot be written ({error.strerror})") from None

    def _named(self) -> Iterator[tuple[str, str]]:
        for logger in self.trainer.loggers:
            if folder := logger.log_dir or logger.save_dir:
                yield "trainer.logger", folder
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath:
                yield "trainer.callbacks.ModelCheckpoint.dirpath", os.fspath(callback.dirpath)

    def claim(self) -> None:
        """Makes the loggers' numbered folders under the next number that no other run has taken meanwhile.

        Lightning only looks for a free number, so runs that start at the same time would share one folder.
        """
        if not self._numbered or not self.trainer.is_global_zero:
            return
        number = max(int(logger.version) for logger in self._numbered)
        while not _make_all(_folders(self._numbered, number)):
            number += 1


def _folders(loggers: Sequence[Logger], number: int) -> list[str]:
    """Sets the loggers' version and returns their folders."""
    for logger in loggers:
        logger._version = number  # type: ignore[attr-defined]
    return list(dict.fromkeys(str(logger.log_dir) for logger in loggers))


def _make_all(folders: Sequence[str]) -> bool:
    """Makes all folders and returns True. If one exists already, makes none and returns False."""
    for k, folder in enumerate(folders):
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
        try:
            Path(folder).mkdir()
        except FileExistsError:
            for made in folders[:k]:
                with suppress(OSError):
                    Path(made).rmdir()
            return False
    return True


def _try_writing(folder: Path) -> None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")
        file.flush()
