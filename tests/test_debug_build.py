"""The engine's tests once more, under bounds checks and under gcc's sanitizers, in builds of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import ROOT


def run(kind: str) -> None:
    done = subprocess.run(
        ["bash", ROOT / "tests" / "sanitizers.sh", kind],
        env={"PYTHON": sys.executable, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert " passed" in done.stdout


def has_sanitizers() -> bool:
    if shutil.which("gcc") is None:
        return False
    # where gcc does not have the file, it prints the name alone
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    return Path(found).is_absolute()


@pytest.mark.slow
def test_the_engine_stays_within_its_bounds() -> None:
    run("debug")


@pytest.mark.slow
@pytest.mark.skipif(not has_sanitizers(), reason="no gcc with AddressSanitizer")
def test_the_engine_under_the_sanitizers() -> None:
    run("sanitize")
