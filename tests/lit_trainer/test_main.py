"""The program `lit-trainer` around its commands: how Ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lit_trainer import __main__ as program
from lit_trainer.cli import commands


def interrupt(*args: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_ends_a_command_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty lines of where the program was."""
    monkeypatch.setattr(sys, "argv", ["lit-trainer", "report", "--ckpt_path=a.ckpt"])
    monkeypatch.setattr(commands, "run_command", interrupt)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as stopped:
        program.main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        program.main(["report"])  # called by another program, whose Ctrl-C it is


@pytest.mark.slow
def test_ctrl_c_while_modules_are_imported_prints_nothing(tmp_path: Path) -> None:
    """A traceback through the import system, or an import that takes it for an error."""
    # -X importtime writes a line for each module once it is imported; torch takes seconds
    words = [sys.executable, "-X", "importtime", "-m", "lit_trainer", "inspect", "no.ckpt"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.rstrip().endswith("torch.version") or line.rstrip().endswith("torch._C"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == -signal.SIGINT
    assert all(line.startswith("import time:") for line in rest.splitlines()), rest[-500:]
