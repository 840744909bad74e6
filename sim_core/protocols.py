"""Says what the engine asks of objects that are written in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from sim_core.state import Action, State


@runtime_checkable
class AgentModel(Protocol):
    """Is an agent outside the engine that says how likely it plays each action, so that others can expect it."""

    def action_probabilities(self, state: State) -> Mapping[Action, float]:
        """Returns how likely it plays each action in a position in which it is to move.

        Actions that are left out have the probability 0. An answer depends on nothing but the position.
        """
        ...
