from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_core.protocols import AgentModel
from sim_core.game import GameHandle
from sim_core.in_use import InUse

class Beliefs:
    """Holds a player's beliefs about the hand of the other player, in each of up to `slots` games.

    Games begin, observe and draw through the functions of C (beliefs.pxd). Slots share nothing that is written.
    `Belief` does the same for a single game.

    Args:
        game: Name of the game.
        slots: Most games at once, up to 100,000,000.
        types: Most opponents that a slot tells apart, 1 to 64.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """

    handle: GameHandle
    """The game."""
    slots: int
    """Most games at once."""
    types: int
    """Most opponents that a slot tells apart."""
    in_use: InUse
    """What a runner or a search enters while it uses the slots."""

    def __init__(self, game: str, slots: int, types: int = 1) -> None: ...

class Belief:
    """Holds what a player believes about the hand of the other player, given who that may be.

    Args:
        game: Name of the game.
        state: Packed state to begin from, usually the deal. All hands are as likely there.
        observer: The player who believes, 0 or 1.
        opponents: Name of the built-in opponent that the other player is, or several names, each as likely at first.
            None among several: it is none of them, which is as likely as that it is one. In place of a name an
            `AgentModel` stands for itself.
        slip: Share of its turns in which each opponent is taken to play at random, 0 to 1. Above 0 no opponent and no
            hand that can play what was played is ever ruled out.
        beliefs: Memory of many games, in which it takes a slot. None: its own memory.
        slot: Slot of `beliefs`.

    Raises:
        ValueError: Names the argument, the value and what would be right.
        RuntimeError: Another thread uses the beliefs now.
    """

    def __init__(
        self,
        game: str,
        state: bytes,
        observer: int,
        opponents: str | AgentModel | Iterable[str | AgentModel | None],
        slip: float = 0.0,
        beliefs: Beliefs | None = None,
        slot: int = 0,
    ) -> None: ...
    def imagine(self, state: bytes, action: int, seed: int, stream: int = 0) -> list[bytes]:
        """Returns positions in which an opponent that is none of the known ones may have chosen an action.

        The mean probability with which it plays the action in them is what `observe` takes as `other`.

        Args:
            state: Packed state before the action. Nothing is read from it that the observer cannot see.
            action: Id of the action.
            seed: Random seed.
            stream: Number of the game's random stream. A runner draws the same hands, from its `learner_seed`.

        Returns:
            Packed states, at most 16, each with another hand that can play the action; none where no hand can.
        """
    def observe(self, state: bytes, action: int, other: float | None = None) -> None:
        """Updates the beliefs by an action. Every turn of the game is to be told, in order; own turns change nothing.

        Args:
            state: Packed state before the action. Nothing is read from it that the observer cannot see.
            action: Id of the action.
            other: How likely an opponent that is none of the known ones plays this action with a hand that can, above 0
                and at most 1. Needed where the opponents have None among them and the other player moves.

        Raises:
            ValueError: The position does not follow from the turns observed so far, or no hand that the other player
                may hold can play the action, or `other` is missing or out of range.
            Exception: What an agent among the opponents raised. The beliefs are spoiled then, and raise it again.
        """
    def draw(self, state: bytes, seed: int) -> tuple[bytes, Any]:
        """Draws what is hidden in a position of the game from what is believed.

        Args:
            state: Packed state. Nothing is read from it that the observer cannot see.
            seed: Random seed.

        Returns:
            The packed state with the other player's hand and both decks drawn anew, and the opponent, as it was given,
            that was drawn with the hand. None: it is none of the known ones, or the beliefs are lost.

        Raises:
            ValueError: The position does not follow from the turns observed so far.
        """
    def hands(self) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
        """Returns the hands that the other player may hold, and how likely each is.

        Returns:
            Sets of cards, uint64 [k] in increasing order, in which bit i is card i of `hidden_targets`, and their
            probabilities, float64 [k].
        """
    def card_probabilities(self) -> NDArray[np.float32]:
        """Returns how likely each card is in the other player's hand, float32 [hidden_size]."""
    def opponent_probabilities(self) -> dict[Any, float]:
        """Returns how likely the other player is each of the opponents, as they were given. None: none of them."""
    def entropy(self) -> float:
        """Returns how much is not known of the hand, in bits."""
    @property
    def is_lost(self) -> bool:
        """Returns whether an action was seen that no hand and no opponent explains. Beliefs are uniform after it."""
