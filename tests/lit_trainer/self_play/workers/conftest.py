"""Agents that workers find on the import path, and workers that end with the test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.worker_games import Driven

AGENTS = """
import os, re, threading

class First:
    def select_action(self, state, legal_actions):
        return legal_actions[0]

class Raises(First):
    def select_action(self, state, legal_actions):
        raise RuntimeError("the agent is tired")

class OnlyAtHome(First):
    def __init__(self, pid):
        if os.getpid() != pid:
            raise OSError("not at home")

class HoldsPython(First):
    'A search that goes on for ages, within C, where no other thread of the process gets its turn.'

    def select_action(self, state, legal_actions):
        re.match("(a+)+$", "a" * 60 + "b")

class Locked(First):
    def __init__(self):
        self.lock = threading.Lock()
"""


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a module that workers find only on this process's import path."""
    (tmp_path / "my_agents.py").write_text(AGENTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_agents  # type: ignore[import-not-found]

    yield my_agents
    del sys.modules["my_agents"]


@pytest.fixture
def start() -> Iterator[Callable[..., Driven]]:
    """Makes generators whose workers end with the test."""
    started: list[Driven] = []

    def start(*arguments: Any, **options: Any) -> Driven:
        started.append(Driven(*arguments, **options))
        return started[-1]

    yield start
    for driven in started:
        driven.generator.close()
