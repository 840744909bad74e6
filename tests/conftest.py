"""Shared by all tests."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
import torch
from cli_tools import ROOT


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests: a module's fixture is made once, and what takes long comes first."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
        if any(found[-1].scope == "module" for found in fixtures if found):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """torch's generator starts from the run's printed seed, as pytest-randomly has it for Python's and numpy's."""
    torch.manual_seed(item.config.getoption("randomly_seed", 0) + zlib.crc32(item.nodeid.encode()))


@pytest.fixture(scope="session")
def iter600() -> Path:
    """A checkpoint of iteration 600 of the shipped configuration: the one that comes with the project."""
    return ROOT / "checkpoints" / "iter600.ckpt"
