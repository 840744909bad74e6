"""The newest checkpoint of a run's folder."""

from __future__ import annotations

import os
from pathlib import Path

from lit_trainer.checkpoints.newest import newest_checkpoint, newest_first


def written(path: Path, seconds: int) -> Path:
    """Returns a file last changed at that time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (seconds, seconds))
    return path


def test_the_one_written_last_is_found_wherever_it_lies_in_the_folder(tmp_path: Path) -> None:
    old = written(tmp_path / "version_0/checkpoints/last.ckpt", 1000)
    new = written(tmp_path / "version_1/checkpoints/iter50.ckpt", 2000)
    written(tmp_path / "version_1/checkpoints/iter25.ckpt", 1500)
    assert newest_checkpoint(tmp_path) == new
    assert newest_checkpoint(tmp_path / "version_0") == newest_checkpoint(old.parent) == old


def test_last_goes_before_another_of_the_same_moment(tmp_path: Path) -> None:
    last = written(tmp_path / "last.ckpt", 1000)
    other = written(tmp_path / "zz.ckpt", 1000)
    assert newest_first([other, last]) == [last, other]


def test_half_written_files_and_folders_are_no_checkpoints(tmp_path: Path) -> None:
    whole = written(tmp_path / "iter5.ckpt", 1000)
    written(tmp_path / ".last.ckpt.77.partial", 2000)
    written(tmp_path / "folder.ckpt" / "notes.txt", 3000)
    assert newest_checkpoint(tmp_path) == whole
    assert newest_first([tmp_path / "gone.ckpt", whole]) == [whole]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "never made") is None
