"""`lit-trainer play` and `lit-trainer web` beside the commands of Lightning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from jsonargparse import auto_cli

from lit_trainer.play.server import web
from lit_trainer.play.terminal import play

COMMANDS: MappingProxyType[str, Callable[..., None]] = MappingProxyType({"play": play, "web": web})


def run_command(name: str, args: Sequence[str]) -> None:
    """Run one of `COMMANDS` with flags as on a command line; its function's arguments are the flags."""
    auto_cli(COMMANDS[name], args=list(args), prog=f"lit-trainer {name}")
