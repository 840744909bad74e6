"""How a run writes its checkpoints: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from lit_trainer.checkpoints.reader import load_file


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, syncs it to the disk, then renames it: no crash leaves half a file.

    Reads only what is whole, by the checksums in it.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint, or leave what stood there before.

        Raises:
            OSError: the disk is full or the folder cannot be written; names the file and the reason.
        """
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(checkpoint, target)
        except Exception as error:
            if (cause := _cause_on_disk(error)) is None:
                raise
            kept = "the file that stood there before is whole" if target.is_file() else "nothing stands there"
            raise OSError(
                cause.errno,
                f"checkpoint {os.fspath(target)!r} cannot be written ({cause.strerror}); {kept}. Make room or name "
                "another folder, and resume from the newest checkpoint",
            ) from error

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint's tensors and plain values; code in it is never run, whatever the caller asks for.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is truncated or damaged, or holds code.
        """
        # Lightning's own default is to run it, up to 2.5
        found: dict[str, Any] = load_file(path, map_location=map_location)
        return found


def _write_whole(checkpoint: dict[str, Any], target: Path) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
        _sync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Let the new name, too, outlast a power cut."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cause_on_disk(error: BaseException | None) -> OSError | None:
    """The system's error behind one that torch makes of it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
