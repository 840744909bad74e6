"""Finds the newest checkpoint of a run's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Returns those of the paths that are files, by the time of their last change. Of two that tie, ``last`` is first.

    Args:
        paths: Paths of checkpoints; what is gone is left out.
    """
    found = [(path.stat().st_mtime_ns, path.stem == "last", path) for path in paths if path.is_file()]
    return [path for *_, path in sorted(found, reverse=True)]


def newest_checkpoint(folder: Path) -> Path | None:
    """Returns the checkpoint of a folder that was written last, None if there is none.

    Args:
        folder: A run's folder (``runs/NAME/version_3``), its ``checkpoints``, or a folder of several runs. Folders in
            it are searched, too.
    """
    return next(iter(newest_first(folder.rglob("*.ckpt"))), None)
