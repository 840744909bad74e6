"""Agents written in Python as players of batches."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from lit_trainer.players.protocols import Agent, Moves
from sim_core import (
    GameBatch,
    State,
    c_state_to_python,
)


class AgentTimeoutError(RuntimeError):
    """An agent written in Python took longer for a move than it may."""


class PythonPlayer:
    """An agent written in Python, asked game by game on the hybrid path.

    Args:
        name: for messages.
        agent: has ``select_action(state, legal_actions) -> Action``.
        time_limit: seconds that whoever watches its moves lets one take (`play_schedule` does); None: for ever.
    """

    def __init__(self, name: str, agent: Agent, time_limit: float | None = None) -> None:
        self.name = name
        self.agent = agent
        self.time_limit = time_limit
        self.asked = 0
        """Moves it has been asked for."""
        self.thinking_at: State | None = None
        """The position it is asked about now."""
        self.given_up = False
        """Nobody waits any more for a move that it was asked for; it is asked for no other."""

    def act(self, batch: GameBatch) -> Moves:
        ids = np.empty(len(batch), dtype=np.int64)
        for i in range(len(batch)):
            if self.given_up:
                raise AgentTimeoutError(f"opponent {self.name}: was given up, since a move of it did not end")
            state = c_state_to_python(batch, i)
            legal = state.legal_actions()
            self.asked += 1
            self.thinking_at = state
            try:
                action = self.agent.select_action(state, legal)
            except Exception as error:
                error.add_note(f"opponent {self.name}: select_action raised this at '{state}'")
                raise
            finally:
                self.thinking_at = None
            if action not in legal:
                raise ValueError(
                    f"opponent {self.name}: select_action returned {action!r} at '{state}', "
                    f"legal are {' '.join(map(str, legal))}"
                )
            ids[i] = action.id
        return Moves(ids)


def make_agent(name: str, given: Any) -> Agent:
    """The agent itself, made where a class path and its arguments were given."""
    if isinstance(given, Mapping):
        try:
            module, _, class_name = given["class_path"].rpartition(".")
            given = getattr(import_module(module), class_name)(**given.get("init_args", {}))
        except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"agents: {name} cannot be made from {dict(given)}: {error!r}; "
                "expected {class_path: package.module.Class, init_args: {...}}"
            ) from error
    if not isinstance(given, Agent) or not callable(given.select_action):
        raise ValueError(f"agents: {name} ({type(given).__name__}) has no select_action(state, legal_actions)")
    return given
