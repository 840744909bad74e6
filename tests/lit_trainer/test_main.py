"""`python -m lit_trainer`, which chooses between our own commands and Lightning's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lit_trainer import __main__


def test_the_module_answers() -> None:
    """A status other than 0, or subcommands that are not shown."""
    done = subprocess.run([sys.executable, "-m", "lit_trainer", "--help"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "fit" in done.stdout and "validate" in done.stdout


def test_the_words_of_the_process_are_taken_where_none_are_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The installed command passes no arguments: a `main` that looks only at its own would run nothing."""
    monkeypatch.setattr(sys, "argv", ["lit-trainer", "inspect", "--help"])
    with pytest.raises(SystemExit) as stopped:
        __main__.main()
    assert stopped.value.code == 0 and "lit-trainer inspect" in capsys.readouterr().out
