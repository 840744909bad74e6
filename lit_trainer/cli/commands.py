"""The subcommands of `lit-trainer` that are not Lightning's: each a function whose arguments are its flags."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from docstring_parser import parse as parse_docstring
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from lit_trainer.cli.config_files import StrictParser
from lit_trainer.utils.packages import HELP, import_packages

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "export": "lit_trainer.cli.export",
        "inspect": "lit_trainer.cli.inspect",
        "play": "lit_trainer.play.terminal",
        "report": "lit_trainer.cli.report",
        "tournament": "lit_trainer.cli.tournament",
        "web": "lit_trainer.play.server",
    }
)
"""Name of each command to the module whose function of that name it runs. A new command needs only its line here."""


def help_of(name: str) -> str:
    """Returns what a command does: the first line of its function's docstring.

    It is read from the source, because importing all modules would delay `lit-trainer --help`.
    """
    spec = find_spec(COMMANDS[name])
    assert spec is not None and spec.origin is not None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    (function,) = (node for node in body if isinstance(node, ast.FunctionDef) and node.name == name)
    return (ast.get_docstring(function) or "").partition("\n")[0]


def overview() -> str:
    """Returns the lines of `lit-trainer --help` about these commands."""
    listed = "; ".join(f"{name}: {help_of(name).rstrip('.')}" for name in COMMANDS)
    return f"Further subcommands, each with its own --help: {listed}."


def run_command(name: str, args: Sequence[str]) -> None:
    """Runs a command. A ValueError, OSError or ImportError of its function ends in one line, as a wrong flag does.

    The packages of ``--import`` are imported first.

    Args:
        name: One of `COMMANDS`.
        args: Arguments after the command's name.
    """
    function: Callable[..., Any] = getattr(importlib.import_module(COMMANDS[name]), name)
    positional = _positional(function)
    parser = _parser(name, function, positional)
    # jsonargparse 4.49 renamed the method
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    values = instantiate(parser.parse_args(list(args))).as_dict()
    values.pop("config", None)
    packages = values.pop("import")
    given = [values.pop(argument) for argument in positional]
    try:
        import_packages(packages)
        function(*given, **values)
    except OSError as error:
        # the system's own, such as that of a full disk
        parser.error(str(error) if error.filename is None else f"{error.filename}: {error.strerror}")
    except (ValueError, ImportError) as error:
        parser.error(str(error))


def _parser(name: str, function: Callable[..., Any], positional: Sequence[str]) -> StrictParser:
    """Returns a parser of the function's arguments, with the texts of its docstring."""
    parser = StrictParser(prog=f"lit-trainer {name}", description=help_of(name))
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="YAML file with values of these flags.")
    parser.add_argument("--import", type=str | list[str], default=[], help=HELP)
    lists = _lists_of_names(function)
    skip: set[str | int] = {*lists, *positional}
    parser.add_function_arguments(function, as_group=False, as_positional=False, skip=skip)
    texts = {entry.arg_name: entry.description for entry in parse_docstring(function.__doc__ or "").params}
    for argument, required in lists.items():
        parser.add_argument(f"--{argument}", type=str, nargs="+", required=required, help=texts.get(argument))
    for argument in positional:
        parser.add_argument(argument, type=str, help=texts.get(argument))
    return parser


def _lists_of_names(function: Callable[..., Any]) -> dict[str, bool]:
    """Returns the arguments that are lists of texts, given as ``--name A B C``, and whether each is required."""
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters
    return {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in parameters.items()
        if hints[name] == list[str]
    }


def _positional(function: Callable[..., Any]) -> list[str]:
    """Returns the texts that are given without a flag's name: the function's positional-only arguments."""
    parameters = inspect.signature(function).parameters
    return [name for name, parameter in parameters.items() if parameter.kind is inspect.Parameter.POSITIONAL_ONLY]
