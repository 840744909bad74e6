"""The subcommands of `lit-trainer` that are not Lightning's: each a function whose arguments are its flags."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, get_type_hints

from docstring_parser import parse as parse_docstring
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from lit_trainer.cli.config_files import StrictParser


class Command(NamedTuple):
    """One subcommand."""

    path: str
    """``module:function``, imported when the command is called."""
    help: str


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "export": Command(
            "lit_trainer.cli.export:export", "Export a checkpoint as ONNX and safetensors with a model card."
        ),
        "inspect": Command("lit_trainer.cli.inspect:inspect", "Print what a checkpoint is: network, run, versions."),
        "play": Command("lit_trainer.play.terminal:play", "Play an agent in the terminal."),
        "report": Command("lit_trainer.cli.report:report", "Analyse an agent: calibration, animals, annotated games."),
        "tournament": Command("lit_trainer.cli.tournament:tournament", "Elo ratings from a round robin of players."),
        "web": Command("lit_trainer.play.server:web", "Play and watch agents on a page in a browser."),
    }
)
"""Name to command; a further one needs only its line here."""


def overview() -> str:
    """What `lit-trainer --help` says of these commands."""
    listed = "; ".join(f"{name}: {command.help.rstrip('.')}" for name, command in COMMANDS.items())
    return f"Further subcommands, each with a --help of its own: {listed}."


def run_command(name: str, args: Sequence[str]) -> None:
    """Run one of `COMMANDS` with the flags that stand after its name.

    What a function refuses by a ValueError, OSError or ImportError ends in one line, as what the parser refuses does.
    """
    module, _, attribute = COMMANDS[name].path.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    parser = StrictParser(prog=f"lit-trainer {name}", description=COMMANDS[name].help)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="YAML file with values of these flags.")
    lists = _lists_of_names(function)
    positional = _positional(function)
    skip: set[str | int] = {*lists, *positional}
    parser.add_function_arguments(function, as_group=False, as_positional=False, skip=skip)
    texts = {entry.arg_name: entry.description for entry in parse_docstring(function.__doc__ or "").params}
    for name_of_list, required in lists.items():
        parser.add_argument(f"--{name_of_list}", type=str, nargs="+", required=required, help=texts.get(name_of_list))
    for name_of_argument in positional:
        parser.add_argument(name_of_argument, type=str, help=texts.get(name_of_argument))
    # the method's name from jsonargparse 4.49 on, and the one before
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    values = instantiate(parser.parse_args(list(args))).as_dict()
    values.pop("config", None)
    given = [values.pop(name_of_argument) for name_of_argument in positional]
    try:
        function(*given, **values)
    except (ValueError, OSError, ImportError) as error:
        parser.error(str(error))


def _lists_of_names(function: Callable[..., Any]) -> dict[str, bool]:
    """Arguments that are lists of texts, given as ``--name A B C``; to whether there must be some."""
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
