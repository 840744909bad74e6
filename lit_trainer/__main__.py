"""The command `lit-trainer`, also called by `python -m lit_trainer`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lit_trainer.cli.commands import COMMANDS, run_command


def main(args: Sequence[str] | None = None) -> None:
    """Run a command of ours, or Lightning's command line: only that one takes the seconds to import Lightning.

    Args:
        args: what stands after the command's name; None: ``sys.argv[1:]``.
    """
    given = list(sys.argv[1:] if args is None else args)
    if given and given[0] in COMMANDS:
        run_command(given[0], given[1:])
    else:
        from lit_trainer.cli.lightning_cli import run_lightning

        run_lightning(None if args is None else given)


if __name__ == "__main__":
    main()
