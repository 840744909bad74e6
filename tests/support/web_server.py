"""Runs the command `lit-trainer web` in a separate process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from support.cli_tools import ROOT
from support.process_tools import heed_ctrl_c


def started(folder: Path, port: int, *flags: str) -> subprocess.Popen[bytes]:
    """Starts the command in a separate session, and returns once it answers. Its output goes to ``web.log``."""
    command = [sys.executable, "-m", "lit_trainer", "web", "--port", str(port), *flags]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / "web.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=env, start_new_session=True, preexec_fn=heed_ctrl_c
        )
    for _ in range(600):
        assert server.poll() is None, (folder / "web.log").read_text()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return server
        except OSError:
            time.sleep(0.2)
    server.kill()
    raise AssertionError((folder / "web.log").read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
