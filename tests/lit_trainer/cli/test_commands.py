"""The commands beside Lightning's: their registration, their help, their flags and their errors."""

from __future__ import annotations

import importlib
import inspect
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from lit_trainer.__main__ import main
from lit_trainer.cli import commands
from lit_trainer.cli.commands import COMMANDS, help_of, overview, run_command


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_is_the_first_line_of_the_docstring(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A second text that no longer says what the command does; a flag without a text."""
    function = getattr(importlib.import_module(COMMANDS[name]), name)
    first = inspect.getdoc(function).partition("\n")[0]
    assert help_of(name) == first and first.endswith(".")
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert " ".join(first.split()) in " ".join(printed.split())
    for argument, parameter in inspect.signature(function).parameters.items():
        flag = argument if parameter.kind is inspect.Parameter.POSITIONAL_ONLY else f"--{argument}"
        assert f"  {flag}" in printed, flag


def test_the_overview_names_every_command() -> None:
    assert all(f"{name}: {help_of(name).rstrip('.')}" in overview() for name in COMMANDS)


def trial(path: str, /, names: list[str], number: int = 3) -> None:
    """Collects what it is given.

    Args:
        path: A path.
        names: Some names.
        number: A number.
    """
    if number < 0:
        raise ValueError(f"number: {number} given, expected 0 or more")
    GIVEN.append((path, names, number))


GIVEN: list[tuple[str, list[str], int]] = []


class Here:
    """Stands for this module, which pytest imports under another name."""

    trial = staticmethod(trial)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers one more command, of this module."""
    monkeypatch.setattr(commands, "COMMANDS", {"trial": "here"})
    monkeypatch.setattr(commands, "find_spec", lambda name: ModuleSpec(name, None, origin=__file__))
    monkeypatch.setitem(sys.modules, "here", Here)
    GIVEN.clear()


def test_one_line_registers_a_command(registered: None) -> None:
    """Positional arguments, lists and defaults that do not reach the function."""
    run_command("trial", ["a.ckpt", "--names", "b", "c"])
    run_command("trial", ["a.ckpt", "--names", "b", "--number=7"])
    assert GIVEN == [("a.ckpt", ["b", "c"], 3), ("a.ckpt", ["b"], 7)]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["a.ckpt", "--names", "b", "--number=-1"], "error: number: -1 given, expected 0 or more"),
        (["a.ckpt", "--names", "b", "--number=many"], "number"),
        (["--names", "b"], "path"),
        (["a.ckpt"], "names"),
        (["a.ckpt", "--names", "b", "--wrong=1"], "wrong"),
    ],
)
def test_a_refused_argument_ends_in_one_line(
    args: list[str],
    said: str,
    registered: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_command("trial", args)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and said in error and "Traceback" not in error
    assert GIVEN == []


def test_a_package_is_imported_before_a_command_runs(
    registered: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network or a game of the user's own that no command can be told of."""
    monkeypatch.setattr("lit_trainer.utils.packages._named", ())
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "of_a_command.py").write_text("")
    run_command("trial", ["a.ckpt", "--names", "b", "--import=of_a_command"])
    assert "of_a_command" in sys.modules and len(GIVEN) == 1
    with pytest.raises(SystemExit):
        run_command("trial", ["a.ckpt", "--names", "b", "--import=[of_a_command, no_such_package]"])
    assert "error: import: 'no_such_package' cannot be imported" in capsys.readouterr().err
    assert len(GIVEN) == 1


def test_an_error_of_the_system_names_the_file(
    registered: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its number in place of words."""

    def fail(path: str, /, names: list[str]) -> None:
        Path(path).read_text()

    monkeypatch.setattr(Here, "trial", staticmethod(fail))
    with pytest.raises(SystemExit):
        run_command("trial", ["none.txt", "--names", "b"])
    assert capsys.readouterr().err.endswith("error: none.txt: No such file or directory\n")
