"""Decides which tests `make check` runs: those that are not marked slow and that took a moment when last measured.

`make durations` measures: as a plugin of pytest this module writes tests/data/long_tests.txt. A test that the file does
not know is run, so a file that is out of date costs time and hides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONG_TESTS = ROOT / "tests" / "data" / "long_tests.txt"
A_MOMENT = 0.12
"""Seconds."""
HEAD = f"# Tests (and whole files) of more than {A_MOMENT} s, the mean over parameters. Written by `make durations`.\n"


@cache
def shares_a_fixture(file: str) -> bool:
    """Returns whether tests of a file share a fixture, which the first of them pays for."""
    return 'scope="module"' in (ROOT / file).read_text()


def function_of(nodeid: str) -> str:
    """Returns a test's name without its parameters."""
    return nodeid.partition("[")[0]


@cache
def long_tests() -> frozenset[str]:
    """Returns the names of all tests that took longer than a moment."""
    lines = LONG_TESTS.read_text().splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def is_quick(item: pytest.Item) -> bool:
    """Returns whether `make check` runs a test."""
    name = function_of(item.nodeid)
    return item.get_closest_marker("slow") is None and not {name, name.partition("::")[0]} & long_tests()


def as_text(seconds: dict[str, float], files: Collection[str] = ()) -> str:
    """Returns the text of the file of long tests.

    Args:
        seconds: Test to the time it took, with its fixtures.
        files: Files that are left out as a whole.
    """
    by_function: defaultdict[str, list[float]] = defaultdict(list)
    for nodeid, taken in seconds.items():
        by_function[function_of(nodeid)].append(taken)
    long = {name for name, each in by_function.items() if sum(each) / len(each) > A_MOMENT}
    left = [*files, *(name for name in long if name.partition("::")[0] not in files)]
    return HEAD + "".join(f"{name}\n" for name in sorted(left))


_seconds: defaultdict[str, float] = defaultdict(float)
_files: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid] += report.duration
    file = report.nodeid.partition("::")[0]
    if report.when == "setup" and report.duration > A_MOMENT and shares_a_fixture(file):
        _files.add(file)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        LONG_TESTS.write_text(as_text(_seconds, _files))
