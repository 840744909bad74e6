"""Information-set tree search without a network as an opponent: its name, its player, its agent for a position."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from lit_trainer.players import Moves
from lit_trainer.seeding import derive_seed
from sim_core import Action, GameBatch, State, ismcts
from sim_core.ismcts import MAX_ITERATIONS


def ismcts_iterations(field: str, name: str) -> int | None:
    """The N of a name ``ismcts:N``; None where the name is of another kind.

    Args:
        field: the argument the name was given for, for messages.
        name: an opponent's name.

    Raises:
        ValueError: the name begins like one, but N is missing, no whole number, or out of range.

    >>> ismcts_iterations("opponents", "ismcts:1000")
    1000
    """
    if not isinstance(name, str) or name.partition(":")[0] != "ismcts":
        return None
    # one way to write a number, so that one player has one name
    if not re.fullmatch(r"ismcts:[1-9][0-9]{0,9}", name) or int(name[7:]) > MAX_ITERATIONS:
        raise ValueError(
            f"{field}: {name!r} given, expected ismcts:N with N iterations a move, 1 to {MAX_ITERATIONS:,}"
        )
    return int(name[7:])


class IsmctsPlayer:
    """Plays the most visited action of `sim_core.ismcts`, which knows nothing of a game but its rules.

    Args:
        iterations: a move, 1 to 1,000,000.
        seed: of everything the search draws.
        threads: threads for different games.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, iterations: int, seed: int, threads: int = 1) -> None:
        self.iterations = iterations
        self.seed = seed
        self.threads = threads
        self.act(GameBatch(0))  # refuses wrong arguments now, not at the first move

    def act(self, batch: GameBatch) -> Moves:
        found = ismcts(batch, self.iterations, seed=self.seed, threads=self.threads)
        return Moves(found.actions.astype(np.int64, copy=False))


class IsmctsAgent:
    """Plays single positions of any game by `IsmctsPlayer`; it never reads what the player to move cannot see.

    Equal positions get equal moves.

    Args:
        iterations: a move, 1 to 1,000,000.
        seed: of everything the search draws.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, iterations: int, seed: int = 0) -> None:
        self._player = IsmctsPlayer(iterations, derive_seed(seed, "agent"))

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        """The action for the player to move. Raises ValueError where the game is over."""
        if not legal_actions:
            raise ValueError(f"state: '{state}' is over, there is no action to select")
        moves = self._player.act(GameBatch.from_states([state], streams=0))
        return Action(int(moves.actions[0]), state.game)
