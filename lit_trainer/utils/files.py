"""Result files and folders, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def _write(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write data as JSON that every reader takes: what is not finite becomes null."""
    text = json.dumps(_finite(data), indent=2, allow_nan=False) + "\n"
    _write(path, lambda partial: _write_synced(partial, text))


def _write_synced(path: Path, text: str | bytes) -> None:
    with open(path, "wb") as file:
        file.write(text.encode() if isinstance(text, str) else text)
        file.flush()
        os.fsync(file.fileno())


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure in the format of the path's suffix."""
    _write(path, lambda partial: figure.savefig(partial, dpi=120))


def check_free(folder: Path, field: str) -> None:
    """Refuse a folder that would have to be overwritten.

    Raises:
        FileExistsError: something other than an empty folder is there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "a folder with files in it" if folder.is_dir() else "a file"
    elif folder.resolve() == Path.cwd():
        what = "the current folder"  # it would be gone from under the shell
    else:
        return
    raise FileExistsError(f"{field}: {str(folder)!r} is {what}; expected a new or empty one")


def write_folder(folder: Path, contents: Mapping[str, str | bytes], field: str) -> None:
    """Make a folder of these files: all of them are written beside its place, synced, and renamed together.

    Args:
        folder: new or empty; folders above it are made.
        contents: file name to text or bytes.
        field: the setting that named the folder, for messages.

    Raises:
        FileExistsError: something other than an empty folder is there.
    """
    check_free(folder, field)
    folder = Path(os.path.abspath(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir()
        for name, data in contents.items():
            _write_synced(partial / name, data)
        os.replace(partial, folder)  # fails where files have come into the folder since
    finally:
        shutil.rmtree(partial, ignore_errors=True)
