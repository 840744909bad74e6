"""Says what an agent concludes about the other player from what was played: who it may be, and which cards it holds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import assumed_opponent
from sim_core import Belief

NAMED = 5
"""Most opponents that are named; the others are counted together."""


class Impression(NamedTuple):
    """Holds what an agent concludes about the other player. All of it follows from what the agent could see."""

    opponents: Mapping[str | None, float] = MappingProxyType({})
    """Probability of each opponent to be the other player; None: none of them. Empty: the agent expects nobody."""
    is_lost: bool = False
    """Whether none of these opponents would have played so."""
    hand: tuple[float, ...] = ()
    """Probability of each of the game's `hidden_size` cards to be in the other player's hand. Empty: unknown."""


def impression(player: NetworkPlayer, belief: Belief | None) -> Impression:
    """Returns what a player concludes.

    Args:
        player: Player that is to move.
        belief: What it believes there, see `NetworkPlayer.believe`. None: nothing.
    """
    if belief is None:
        expected = assumed_opponent(player.opponent_model)
        return expectation(expected if isinstance(expected, str) else None)
    return Impression(belief.opponent_probabilities(), belief.is_lost, tuple(belief.card_probabilities().tolist()))


def expectation(opponent: str | None) -> Impression:
    """Returns what a player concludes that expects one opponent, or None, whatever was played."""
    return Impression() if opponent is None else Impression({opponent: 1.0})


def opponent_words(found: Impression, other: str) -> str:
    """Returns in words who an agent takes the other player for; empty if it expects nobody.

    Args:
        found: What the agent concludes.
        other: What the reader calls the other player, e.g. "you".

    >>> opponent_words(Impression({"skunk": 1.0}), "you")
    'expects skunk'
    >>> opponent_words(Impression({"skunk": 1.0}, is_lost=True), "you")
    'expected skunk, but it would not have played so'
    >>> opponent_words(Impression({"skunk": 0.25, None: 0.75}), "you")
    'takes you for: none of the known 75 %, skunk 25 %'
    """
    shares = sorted(found.opponents.items(), key=lambda pair: -pair[1])
    named = [("none of the known" if name is None else name, share) for name, share in shares]
    if found.is_lost:
        return f"expected {' or '.join(name for name, _ in named)}, but it would not have played so"
    if len(named) < 2:
        return "".join(f"expects {name}" for name, _ in named)
    named[NAMED:] = [("others", sum(share for _, share in named[NAMED:]))]
    said = [f"{name} {100 * share:.0f} %" for name, share in named if share >= 0.005]
    return f"takes {other} for: {', '.join(said)}"
