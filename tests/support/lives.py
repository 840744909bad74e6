"""Starts the real command line again and again, by forks of a process that has imported everything and has no threads.

So each life costs only its own work. Tests start scripts that use this, because a process that runs tests has threads,
which would be missing in its forks.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import lit_trainer.cli.lightning_cli  # noqa: F401 (so that no life has to)
from lit_trainer.__main__ import main

LAST = "runs/connect_four/version_*/checkpoints/last.ckpt"


def born(folder: Path, *flags: str, **environment: str) -> int:
    """Starts `lit-trainer` in a folder, where its output goes, too. Returns the process id."""
    if (tasks := Path("/proc/self/task")).is_dir():
        assert len(list(tasks.iterdir())) == 1, "a thread of this process would be missing in its forks"
    folder.mkdir(exist_ok=True)
    pid = os.fork()
    if pid:
        return pid
    code: int | str | None = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        os.setpgid(0, 0)
        os.chdir(folder)
        os.environ |= environment
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        main(list(flags))
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def newest(folder: Path) -> Path | None:
    """Returns the last checkpoint of the last life that wrote one."""
    return max(folder.glob(LAST), key=lambda path: path.stat().st_mtime_ns, default=None)


def end(pid: int) -> int:
    """Waits for the end of a process. Returns its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wait_for(pid: int, folder: Path, condition: Callable[[], object], pause: float = 0.005) -> None:
    """Waits until a condition is true, and looks every `pause` seconds. Fails if the process ends first."""
    while not condition():
        if os.waitpid(pid, os.WNOHANG)[0]:
            raise SystemExit("the run ended too early:\n" + (folder / "output").read_text())
        time.sleep(pause)
