"""Files and folders are written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from matplotlib.figure import Figure

from lit_trainer.utils.files import check_free, save_figure, write_folder, write_json, write_text, write_whole


def test_the_current_folder_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if the current folder is replaced by another one, and so the shell's is gone."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileExistsError, match="current folder"):
        write_folder(Path("."), {"a": ""}, "out")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write_folder(tmp_path / "out", {"first": "text", "no/such/folder": "text"}, "out")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "one\n")
    write_text(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_a_write_that_fails_midway_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "whole")

    def fails(file: BinaryIO) -> None:
        file.write(b"half")
        assert (tmp_path / f".a.txt.{os.getpid()}.partial").is_file()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        write_whole(path, fails)
    assert path.read_text() == "whole"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synced")
def test_every_way_syncs_before_it_renames_and_the_folder_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut that leaves an empty file under the right name."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    def noted_replace(source: Any, target: Any) -> None:
        done.append(f"named {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    for write, name in (
        (lambda path: write_text(path, "text"), "a.txt"),
        (lambda path: write_json(path, {}), "a.json"),
        (lambda path: save_figure(path, Figure()), "a.png"),
    ):
        write(tmp_path / name)
        assert done == ["file", f"named {name}", "folder"]
        done.clear()
    write_folder(tmp_path / "out", {"a": "text", "b": b"bytes"}, "out")
    assert done == ["file", "file", "folder", "named out", "folder"]


def test_json_has_null_for_what_is_not_finite(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [math.nan, 1.5, (math.inf, "ä")], "b": {"c": -math.inf}})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [None, 1.5, [None, "ä"]], "b": {"c": None}}


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml")])
def test_a_figure_has_the_format_of_its_name(name: str, start: bytes, tmp_path: Path) -> None:
    save_figure(tmp_path / name, Figure())
    assert (tmp_path / name).read_bytes().startswith(start)


def test_only_a_new_or_empty_folder_is_free(tmp_path: Path) -> None:
    check_free(tmp_path / "new", "out")
    (tmp_path / "empty").mkdir()
    check_free(tmp_path / "empty", "out")
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match=r"^out: .*file' is a file; expected a new or empty one"):
        check_free(tmp_path / "file", "out")
    with pytest.raises(FileExistsError, match=r"^out: .* is a folder with files in it"):
        check_free(tmp_path, "out")
