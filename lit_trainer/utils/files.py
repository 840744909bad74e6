"""Writes files and folders whole or not at all, so that a crash or a full disk never leaves half of one."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file beside its place, syncs it to the disk and renames it; what stood there stays until then.

    The folders above the file are made. After a kill, a ``.NAME.PID.partial`` may be left, which nothing reads.

    Args:
        path: Path of the file.
        write: Writes the contents into the open file.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        _write_synced(partial, write)
        os.replace(partial, path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _write_synced(path: Path, write: Callable[[BinaryIO], object]) -> None:
    with open(path, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # so that the new name, too, outlasts a power cut
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Writes a text in UTF-8, whole or not at all, see `write_whole`."""
    write_whole(path, _writing(text))


def _writing(data: str | bytes) -> Callable[[BinaryIO], object]:
    whole = data.encode() if isinstance(data, str) else data
    return lambda file: file.write(whole)


def write_json(path: Path, data: Any) -> None:
    """Writes data as JSON that every reader takes: numbers that are not finite become null."""
    write_text(path, json.dumps(_finite(data), indent=2, allow_nan=False) + "\n")


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def save_figure(path: Path, figure: Figure) -> None:
    """Writes a figure in the format of the path's suffix, at 120 dots per inch."""
    write_whole(path, lambda file: figure.savefig(file, dpi=120, format=path.suffix[1:] or None))


def check_free(folder: Path, field: str) -> None:
    """Refuses a folder that would have to be overwritten.

    Args:
        folder: Folder that is to be made.
        field: Setting that named the folder, for messages.

    Raises:
        FileExistsError: Something other than an empty folder is there, or it is the current folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "a folder with files in it" if folder.is_dir() else "a file"
    elif folder.resolve() == Path.cwd():
        what = "the current folder"  # it would be gone from under the shell
    else:
        return
    raise FileExistsError(f"{field}: {str(folder)!r} is {what}; expected a new or empty one")


def write_folder(folder: Path, contents: Mapping[str, str | bytes], field: str) -> None:
    """Makes a folder of files: all are written beside its place, synced, and renamed together.

    Args:
        folder: New or empty folder. The folders above it are made.
        contents: Name of each file to its text or bytes.
        field: Setting that named the folder, for messages.

    Raises:
        FileExistsError: Something other than an empty folder is there.
    """
    check_free(folder, field)
    folder = Path(os.path.abspath(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(folder)
    try:
        partial.mkdir()
        for name, data in contents.items():
            _write_synced(partial / name, _writing(data))
        _sync_folder(partial)
        os.replace(partial, folder)  # fails where files have come into the folder since
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
