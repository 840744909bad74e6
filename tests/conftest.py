"""Shared by all tests."""

from __future__ import annotations

import gc
import re
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from support.cli_tools import ROOT
from support.durations import is_quick, shares_a_fixture


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives all tests of a file that share a fixture to one process, if several processes share the tests.

    xdist's own groups (`--dist loadgroup`) tell nothing with pytest 9.2: marks reach no test's name.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if shares_a_fixture(file) else nodeid

    return Scheduling(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out slow tests and those of tests/data/long_tests.txt")


@cache
def _computes_in_python(path: Path) -> bool:
    return re.search("^(from|import) reference", path.read_text(), re.MULTILINE) is not None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Measures no coverage of what it would slow down most, and puts slow tests first for several processes.

    A slow test at the end would keep one process busy while the others have nothing left.
    """
    if config.getoption("quick"):
        left_out = [item for item in items if not is_quick(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if is_quick(item)]
    for item in items:
        if item.get_closest_marker("slow") or _computes_in_python(item.path):
            item.add_marker("no_cover")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Takes all that is imported out of Python's search for garbage, which would go through it again and again."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Seeds torch's generator from the run's printed seed, as pytest-randomly does for Python's and numpy's."""
    torch.manual_seed(item.config.getoption("randomly_seed", 0) + zlib.crc32(item.nodeid.encode()))


@pytest.fixture(scope="session")
def iter600() -> Path:
    """Returns the shipped checkpoint, of iteration 600."""
    return ROOT / "checkpoints" / "iter600.ckpt"


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes pytest's own arguments, which Lightning's command line would take for its own and warn of."""
    monkeypatch.setattr(sys, "argv", sys.argv[:1])
