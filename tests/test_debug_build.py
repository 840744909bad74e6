"""The engine's tests once more, under bounds checks and gcc's sanitizers, in a build of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import ROOT


def has_sanitizers() -> bool:
    if shutil.which("gcc") is None:
        return False
    # where gcc does not have the file, it prints the name alone
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    return Path(found).is_absolute()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_engine_stays_within_its_bounds() -> None:
    """One build has both checks where gcc has the sanitizers: what one of them stops at, the other need not find."""
    keep = {name: os.environ[name] for name in ("ENGINE_COVERAGE", "OMP_NUM_THREADS") if name in os.environ}
    done = subprocess.run(
        ["bash", ROOT / "tests" / "sanitizers.sh", "sanitize" if has_sanitizers() else "debug"],
        env={"PYTHON": sys.executable, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home())} | keep,
        capture_output=True,
        text=True,
        timeout=1400,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert " passed" in done.stdout
