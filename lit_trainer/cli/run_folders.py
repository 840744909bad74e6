"""Chooses where a run writes: folders that can be written, and a numbered one that no other run has."""

from __future__ import annotations

import glob
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from lit_trainer.checkpoints.newest import newest_first

UNNAMED = "lightning_logs"
"""Lightning's name for the runs of a logger that was given none."""
ROOT = "runs"
"""Folder of the runs that have no logger with a folder for each run."""

NumberingLogger = CSVLogger | TensorBoardLogger


class RunTrainer(Trainer):
    """Lightning's trainer, in which each run has a numbered folder, whatever its loggers are."""

    folder_logger: NumberingLogger | None = None
    """Logger whose folder is the run's. It may log nothing. None: Lightning's own rule."""

    @property
    def log_dir(self) -> str | None:
        """Returns the run's folder. All processes must ask."""
        if self.folder_logger is None:
            return super().log_dir
        folder: str = self.strategy.broadcast(self.folder_logger.log_dir)
        return folder

    @property
    def default_root_dir(self) -> str:
        """Returns the folder above a run's checkpoints where it has no logger."""
        if self.folder_logger is None or self.loggers:
            return str(super().default_root_dir)
        return self.folder_logger.log_dir


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


def newest_saved(trainer: Trainer) -> Path | None:
    """Returns the newest checkpoint that a run has written. None: it has written none, or none is left."""
    saved = [c.best_model_path for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
    return next(iter(newest_first(Path(path) for path in saved if path)), None)


class FolderError(OSError):
    """Says that a folder cannot be written or a file would be overwritten, and which setting names it."""


class RunFolders:
    """Checks and makes the folders of a trainer's loggers and checkpoints.

    Each logger that numbers its runs takes its number now, before any logger makes a folder, so that the numbers agree.

    Args:
        trainer: The trainer, before it has run. If none of its loggers has a folder for each run, it gets one.
        run_name: Name of the run, for that folder.
    """

    def __init__(self, trainer: RunTrainer, run_name: str = "run") -> None:
        self.trainer = trainer
        found = [logger for logger in trainer.loggers if isinstance(logger, NumberingLogger)]
        self._with_folders = found or [CSVLogger(os.path.join(trainer.default_root_dir, ROOT), run_name)]
        trainer.folder_logger = self._with_folders[0]
        self._numbered = [logger for logger in self._with_folders if logger._version is None]
        for logger in [*trainer.loggers, *self._with_folders]:
            _ = logger.version

    def check(self, resumed: str | os.PathLike[str] | None = None, may_overwrite: bool = False) -> None:
        """Tests that each folder, or the one it would be made in, can be written. Leaves nothing there.

        Args:
            resumed: Checkpoint that the run goes on from. The run may write it anew.
            may_overwrite: Whether all files there are this run's, which SLURM has started again.

        Raises:
            FolderError: A folder cannot be written, or the run would overwrite a file.
        """
        if not self.trainer.is_global_zero:
            return
        for field, folder in self._named():
            try:
                _try_writing(Path(folder))
            except OSError as error:
                raise FolderError(f"{field}: the folder {folder!r} cannot be written ({error.strerror})") from None
        for field, path in () if may_overwrite else self._written():
            if path.exists() and not (resumed and os.path.samefile(path, resumed)):
                raise FolderError(
                    f"{field}: {str(path)!r} exists already and would be overwritten; expected a folder without it, or "
                    "none: then the run gets a new one"
                )

    def _named(self) -> Iterator[tuple[str, str]]:
        for logger in [*self.trainer.loggers, *self._with_folders]:
            if folder := logger.log_dir or logger.save_dir:
                yield "trainer.logger", folder
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath:
                yield "trainer.callbacks.ModelCheckpoint.dirpath", os.fspath(callback.dirpath)

    def _written(self) -> Iterator[tuple[str, Path]]:
        """Yields the files that the run writes under a name which may be taken, with the setting of their folder."""
        for logger in self._with_folders:
            for name in ("metrics.csv", "hparams.yaml"):  # Lightning's names
                yield "trainer.logger", Path(logger.log_dir, name)
        folder = Path(self._with_folders[0].log_dir)
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, SaveConfigCallback):
                yield "trainer.logger", folder / callback.config_filename
            for name in getattr(callback, "file_names", ()):
                yield "trainer.logger", folder / name
            if isinstance(callback, ModelCheckpoint) and not callback._enable_version_counter:
                field = "trainer.callbacks.ModelCheckpoint.dirpath" if callback.dirpath else "trainer.logger"
                where = Path(callback.dirpath or folder / "checkpoints")
                for name in [
                    callback.filename or "{epoch}-{step}",
                    *([callback.CHECKPOINT_NAME_LAST] if callback.save_last else []),
                ]:
                    pattern = re.sub(r"\{.*?\}", "*", glob.escape(name)) + callback.FILE_EXTENSION
                    yield from ((field, path) for path in sorted(where.glob(pattern)))

    def claim(self) -> None:
        """Makes the numbered folders under the next number that no other run has taken meanwhile.

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
