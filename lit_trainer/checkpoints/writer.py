"""Writes a run's checkpoints whole or not at all, as a plugin of Lightning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from lit_trainer.checkpoints.reader import load_file
from lit_trainer.utils.files import write_whole


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, syncs it to the disk, then renames it: no crash leaves half a file.

    Reads only files that are whole, by the checksums in them.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Writes a checkpoint, or leaves what stood there before.

        Args:
            checkpoint: Contents of the file.
            path: Path of the file. The folders above it are made.
            storage_options: Unused; Lightning passes it.

        Raises:
            OSError: The disk is full or the folder cannot be written; names the file and the reason.
        """
        target = Path(path)
        try:
            write_whole(target, lambda file: torch.save(checkpoint, file))
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
        """Returns a checkpoint's tensors and plain values. Code in the file is never run.

        Args:
            path: Path of the file.
            map_location: Device for the tensors. Default: the CPU.
            weights_only: Unused, because code is never run, even if the caller allows it, as Lightning up to 2.5.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is truncated or damaged, or holds code.
        """
        found: dict[str, Any] = load_file(path, map_location=map_location)
        return found


def _cause_on_disk(error: BaseException | None) -> OSError | None:
    # torch wraps the system's errors in its own
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
