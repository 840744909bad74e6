"""`make check`: which tests it leaves out, and that it reaches every part."""

from __future__ import annotations

import subprocess
import sys

from support.cli_tools import ROOT
from support.durations import A_MOMENT, LONG_TESTS, as_text, function_of, long_tests


def test_a_test_is_long_by_the_mean_of_its_parameters() -> None:
    times = {"a.py::one[x]": 0.3, "a.py::one[y[0]]": 2.0, "a.py::two": 0.7, "a.py::three[z]": 1.3}
    seconds = {name: time * A_MOMENT for name, time in times.items()}
    assert [line for line in as_text(seconds).splitlines() if not line.startswith("#")] == ["a.py::one", "a.py::three"]
    assert function_of("a.py::one[y[0]]") == "a.py::one"


def test_a_file_whose_shared_fixture_takes_long_is_long_as_a_whole() -> None:
    """Its first test pays for the fixture; without that test the next would."""
    seconds = {"a.py::one": 0.1, "a.py::two": 0.5, "b.py::one": 0.5}
    assert [line for line in as_text(seconds, {"a.py"}).splitlines() if "py" in line] == ["a.py", "b.py::one"]


def test_the_file_is_as_make_durations_writes_it() -> None:
    files = {name for name in long_tests() if "::" not in name}
    functions = dict.fromkeys(long_tests() - files, 1.0)
    assert LONG_TESTS.read_text() == as_text(functions, files)


def test_quick_tests_reach_every_folder() -> None:
    """A folder of tests of which `make check` runs none."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--quick", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-500:]
    names = {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}
    assert not (names | {function_of(line) for line in done.stdout.splitlines()}) & long_tests()
    reached = {(ROOT / name).parent for name in names}
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert not {folder.relative_to(ROOT).as_posix() for folder in folders - reached}
