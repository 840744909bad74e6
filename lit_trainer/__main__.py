"""The command `lit-trainer`, also called by `python -m lit_trainer`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lit_trainer.cli.commands import COMMANDS, run_command


def main(args: Sequence[str] | None = None) -> None:
    """Runs one of our commands, or Lightning's command line, which alone takes the seconds to import Lightning.

    Args:
        args: Arguments after `lit-trainer`. None: ``sys.argv[1:]``.
    """
    given = list(sys.argv[1:] if args is None else args)
    if given and given[0] in COMMANDS:
        run_command(given[0], given[1:])
    else:
        from lit_trainer.cli.lightning_cli import run_lightning

        run_lightning(None if args is None else given)


if __name__ == "__main__":
    main()
