"""Checkpoints are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.writer import AtomicCheckpointIO


class Unpicklable:
    """Fails after a part of the file has been written."""

    def __reduce__(self) -> Any:
        raise RuntimeError("this cannot be pickled")


def test_a_checkpoint_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.ckpt"
    io = AtomicCheckpointIO()
    io.save_checkpoint({"state_dict": {"w": torch.arange(3)}, "epoch": 5}, path)
    assert [file.name for file in path.parent.iterdir()] == ["a.ckpt"]
    found = Checkpoint.read(path).contents
    assert found["epoch"] == 5
    assert found["state_dict"]["w"].tolist() == [0, 1, 2]
    io.save_checkpoint({"state_dict": {"w": torch.arange(4)}}, str(path))
    assert Checkpoint.read(path).contents["state_dict"]["w"].tolist() == [0, 1, 2, 3]


def test_a_save_that_fails_midway_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    io = AtomicCheckpointIO()
    io.save_checkpoint({"state_dict": {"w": torch.arange(3)}}, path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="cannot be pickled"):
        io.save_checkpoint({"state_dict": {"w": torch.zeros(100_000)}, "bad": Unpicklable()}, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
    with pytest.raises(RuntimeError, match="cannot be pickled"):
        io.save_checkpoint({"bad": Unpicklable()}, tmp_path / "first.ckpt")
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    """Fails if a full disk costs the old file. A limit on the size of files stands for the disk."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    path = tmp_path / "last.ckpt"
    io = AtomicCheckpointIO()
    io.save_checkpoint({"state_dict": {}}, path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"last\.ckpt' cannot be written \(File too large\); .* before is whole"):
            io.save_checkpoint({"state_dict": {"w": torch.zeros(100_000)}}, path)
        with pytest.raises(OSError, match=r"first\.ckpt' cannot be written \(File too large\); nothing stands there"):
            io.save_checkpoint({"state_dict": {"w": torch.zeros(100_000)}}, tmp_path / "first.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synced")
def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a power cut after the renaming leaves an empty file in place of the old one."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"{os.fstat(descriptor).st_size} bytes")

    def noted_replace(source: Any, target: Any) -> None:
        done.append(f"{os.path.getsize(source)} bytes named {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.zeros(1000)}}, path)
    size = path.stat().st_size
    assert done == [f"{size} bytes", f"{size} bytes named last.ckpt", "folder"]


def test_a_folder_in_the_way_is_no_file_to_replace(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").mkdir()
    with pytest.raises(
        IsADirectoryError, match=r"^\[Errno 21\] checkpoint '.*last\.ckpt' cannot be written \(Is a dir"
    ):
        AtomicCheckpointIO().save_checkpoint({"state_dict": {}}, tmp_path / "last.ckpt")
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(OSError, match=r"checkpoint '.*/runs/a/last\.ckpt' cannot be written \(Not a directory\)"):
        AtomicCheckpointIO().save_checkpoint({"state_dict": {}}, tmp_path / "runs" / "a" / "last.ckpt")
