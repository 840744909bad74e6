"""The command that prints what a checkpoint is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from support.cli_tools import ROOT, run

from lit_trainer.checkpoints.reader import Checkpoint


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provides a terminal in which nothing is wrapped."""
    monkeypatch.setenv("COLUMNS", "250")


def printed(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, str]:
    """Returns the lines of the command's table: what, and what it is."""
    run("inspect", str(path))
    lines = capsys.readouterr().out.splitlines()
    return dict(found for line in lines if len(found := tuple(re.split(r"\s{2,}", line.strip(), maxsplit=1))) == 2)


def test_it_says_what_the_shipped_checkpoint_is(capsys: pytest.CaptureFixture[str], iter600: Path) -> None:
    found = printed(capsys, iter600)
    assert (found["game"], found["versions"]) == ("beasty_bar", "1 of the rules, 1 of the observation")
    assert found["network"] == "lit_trainer.ResidualMLP, width 256, blocks 4, auxiliary False, condition none"
    assert (found["parameters"], found["iteration"], found["optimizer steps"]) == ("601,762", "600", "32,400")
    assert found["optimizer"].startswith("AdamW, lr 0.0015")
    assert "T_max 600" in found["learning rate"] and found["learning rate now"] == "2e-05"
    assert (found["replay window"], found["lacks to go on"], found["format"]) == ("not saved", "nothing", "1")
    assert found["written by"] == "Lightning 2.6.6"
    assert found["file"] == f"{iter600.stat().st_size / 1e6:.1f} MB"


def test_it_says_what_a_run_would_go_on_with(capsys: pytest.CaptureFixture[str], first_run: tuple[Any, Path]) -> None:
    run_of_one, path = first_run
    found = printed(capsys, path)
    assert found["replay window"] == f"{len(Checkpoint.read(path).windows[0]['outcomes']):,} positions"
    assert found["opponents, by weight at the end"] == "random 50 %, online 50 %"
    assert torch.__version__ in found["written by"]
    assert found["iteration"] == str(run_of_one.trainer.current_epoch)


def without_loops(path: Path) -> None:
    saved = torch.load(ROOT / "checkpoints/iter600.ckpt", weights_only=True)
    torch.save({key: value for key, value in saved.items() if key != "loops"}, path)


def with_a_strange_window(path: Path) -> None:
    saved = torch.load(ROOT / "tests/data/legacy_run/last.ckpt", weights_only=True)
    saved["SelfPlayDataModule"]["replay"] = {"outcomes": 3}
    torch.save(saved, path)


def nothing(path: Path) -> None:
    """Makes no file."""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (nothing, "there is no file"),
        (lambda path: path.write_bytes(b"hello"), "truncated, damaged or no checkpoint"),
        (lambda path: torch.save({"state_dict": {}}, path), "was not written by lit-alphazero"),
        (without_loops, "cannot be taken: loops: "),
        (with_a_strange_window, "is damaged (TypeError: "),
    ],
)
def test_a_file_that_is_no_good_ends_in_one_line(
    make: Any, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.ckpt"
    make(path)
    with pytest.raises(SystemExit) as stopped:
        run("inspect", str(path))
    message = capsys.readouterr().err
    assert stopped.value.code == 2 and "Traceback" not in message
    last = message.splitlines()[-1]
    assert last.startswith("error: checkpoint: ") and "bad.ckpt" in last and words in last


def test_help_names_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("inspect", "--help")
    said = capsys.readouterr().out
    assert stopped.value.code == 0 and "Path of the checkpoint." in said and "checkpoint" in said.splitlines()[0]
