"""The engine's tests once more, under bounds checks and gcc's sanitizers, in a build of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import engine_coverage
from support.cli_tools import ROOT


def has_sanitizers() -> bool:
    if shutil.which("gcc") is None:
        return False
    # where gcc does not have the file, it prints the name alone
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    return Path(found).is_absolute()


C = """
  /* "sim_core/a.pyx":3
 *     cdef int b = 1             # <<<<<<<<<<<<<<
 */
  __pyx_v_b = 1;

  /* "sim_core/a.pyx":4
 *     if b:             # <<<<<<<<<<<<<<
 */
  __pyx_t_1 = (__pyx_v_b != 0);
  if (__pyx_t_1) {

    /* "sim_core/a.pyx":5
 *         b = 2             # <<<<<<<<<<<<<<
 */
    __pyx_v_b = 2;

    /* "sim_core/a.pyx":4
 *     if b:             # <<<<<<<<<<<<<<
 */
  }
"""


def test_a_line_counts_as_often_as_its_c_begins() -> None:
    counts = {5: 7, 10: 7, 11: 7, 16: 0, 21: 7}
    assert engine_coverage.executed(C, counts) == {("sim_core/a.pyx", line): n for line, n in ((3, 7), (4, 7), (5, 0))}
    inside = engine_coverage.executed(C.replace("sim_core/a", "sim_core/beasty_bar/a"), counts)
    assert inside == {("sim_core/beasty_bar/a.pyx", line): n for line, n in ((3, 7), (4, 7), (5, 0))}
    assert engine_coverage.ranges([3, 7, 8, 9]) == "3, 7-9"
    for text in ("@property", "cdef int f(int a=3):", "    cdef inline int f(", "def f(a=1):", "cdef class A:"):
        assert engine_coverage.DEFINITION.match(text), text
    for text in ("    cdef int a = f(3)", "    return a", "    a = 3"):
        assert not engine_coverage.DEFINITION.match(text), text


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_engine_stays_within_its_bounds() -> None:
    """Fails if the engine reads or writes out of bounds. One build has all checks where gcc has the sanitizers."""
    keep = {name: os.environ[name] for name in ("ENGINE_COVERAGE", "OMP_NUM_THREADS") if name in os.environ}
    done = subprocess.run(
        ["bash", ROOT / "tests" / "support" / "sanitizers.sh", "sanitize" if has_sanitizers() else "debug"],
        env={"PYTHON": sys.executable, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home())} | keep,
        capture_output=True,
        text=True,
        timeout=1400,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert " passed" in done.stdout
    if "ENGINE_COVERAGE" in keep:
        counted = Path(keep["ENGINE_COVERAGE"]).read_text()
        modules = [path.relative_to(ROOT).as_posix() for path in (ROOT / "sim_core").rglob("*.pyx")]
        assert not [name for name in modules if name not in counted], "modules of which no line was counted"
