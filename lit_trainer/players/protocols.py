"""What a player of batches and an agent of single positions must offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lit_trainer.networks.evaluators import Floats
from sim_core import Action, GameBatch, State

Ids = NDArray[np.int64]


class Moves(NamedTuple):
    """What a player chose for m games."""

    actions: Ids
    """Action ids, int64 [m]."""
    policy: Floats | None = None
    """Policy targets, float32 [m, A]; rows of zeros where there is none."""
    values: Floats | None = None
    """The search's values for the player to move, float32 [m]; None where there was no search."""


class Player(Protocol):
    """Chooses an action in every game of a batch; no game may be over."""

    def act(self, batch: GameBatch) -> Moves: ...


@runtime_checkable
class Agent(Protocol):
    """Anything that plays one position; written in Python it joins pools and evaluations."""

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action: ...
