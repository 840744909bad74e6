"""The command `lit-trainer`, also called by `python -m lit_trainer`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module


def main(args: Sequence[str] | None = None) -> None:
    """Runs one of our commands, or Lightning's command line, which alone takes the seconds to import Lightning.

    Args:
        args: Arguments after `lit-trainer`. None: ``sys.argv[1:]``. The call is then the whole program: Ctrl-C ends it
            in one line, and a terminal gets in ASCII what it cannot show.
    """
    if args is not None:
        _run(list(args))
        return
    try:
        _import(sys.argv[1:])
        import_module("lit_trainer.utils.terminal").take_any_text()
        _run(None)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)


def _import(args: list[str]) -> None:
    """Imports what a command needs. Ctrl-C ends the process at once, because nothing has begun."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else it is ignored, as in a shell's background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    commands = import_module("lit_trainer.cli.commands").COMMANDS
    import_module(commands.get(args[0] if args else "", "lit_trainer.cli.lightning_cli"))
    signal.signal(signal.SIGINT, before)


def _run(args: list[str] | None) -> None:
    from lit_trainer.cli.commands import COMMANDS, run_command

    given = sys.argv[1:] if args is None else args
    if given and given[0] in COMMANDS:
        run_command(given[0], given[1:])
    else:
        from lit_trainer.cli.lightning_cli import run_lightning

        run_lightning(args)


if __name__ == "__main__":
    main()
