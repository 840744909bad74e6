"""Analyses how an agent plays: its values, and the place of each animal in its play."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit_trainer.players.network_player import NetworkPlayer
from sim_core import ACTIONS, GameBatch, get_game
from sim_core.beasty_bar.rules import LETTERS

OWN_TURNS = 12
"""Each player has so many turns: one for each animal."""


@dataclass(frozen=True)
class Thoughts:
    """The positions of a player's games against itself, in order of play."""

    plies: NDArray[np.int64]
    """[k], 0 to 23."""
    hands: NDArray[np.bool_]
    """The mover's hand [k, 12], the strongest animal first."""
    played: NDArray[np.int64]
    """Which of the twelve the mover played [k]."""
    network_values: NDArray[np.float32]
    """The network's value for the mover [k], -1 to 1."""
    search_values: NDArray[np.float32]
    """The search's, the exact one where the endgame is solved [k]; the network's where there is no search."""
    outcomes: NDArray[np.int8]
    """For the mover [k]."""


def _hand_columns(game: str) -> slice:
    start = 0
    for name, size in get_game(game).observation_layout:
        if name == "own hand":
            return slice(start, start + size)
        start += size
    raise ValueError(f"game: {game} given, expected one with hands of animals")


def think(player: NetworkPlayer, games: int, seed: int, game: str = "beasty_bar") -> Thoughts:
    """Let a player play itself, and keep what it thought of every position.

    Args:
        player: searching or not.
        games: how many.
        seed: of the deals.
        game: a variant of Beasty Bar.

    Raises:
        ValueError: the game has no hands of animals.
    """
    hand = _hand_columns(game)
    animal = np.array([LETTERS.index(text[0]) for text in ACTIONS])
    batch = GameBatch(games, seed, game=game)
    rows: list[tuple[NDArray, ...]] = []  # type: ignore[type-arg]
    while not batch.is_terminal.all():
        legal, observations = batch.legal_mask(), batch.observe()
        values = np.array(player.evaluator(observations, legal)[1])
        found = player.act(batch)
        searched = values if found.values is None else found.values
        rows.append((batch.ply, observations[:, hand] > 0.5, animal[found.actions], values, searched, batch.to_move))
        batch.step(found.actions)
    plies, hands, played, values, searched, movers = (np.concatenate(part) for part in zip(*rows, strict=True))
    outcomes = np.where(movers == 0, 1, -1) * np.tile(batch.outcomes(), len(rows))
    return Thoughts(plies.astype(np.int64), hands, played, values, searched, outcomes.astype(np.int8))


def play_shares(thoughts: Thoughts) -> NDArray[np.float64]:
    """How often an animal is played when it is held, [12 animals, 12 own turns]; NaN where it never is."""
    shares = np.full((len(LETTERS), OWN_TURNS), np.nan)
    for turn in range(OWN_TURNS):
        now = thoughts.plies // 2 == turn
        for k in range(len(LETTERS)):
            held = now & thoughts.hands[:, k]
            if held.any():
                shares[k, turn] = (thoughts.played[held] == k).mean()
    return shares


def holding_worth(thoughts: Thoughts) -> NDArray[np.float64]:
    """What holding an animal adds to the search's value, [12 animals, 9 own turns], mean zero in each turn.

    Least squares of the value on the hand, over positions with four cards in hand (the last three turns have fewer).
    """
    worth = np.zeros((len(LETTERS), OWN_TURNS - 3))
    for turn in range(worth.shape[1]):
        now = thoughts.plies // 2 == turn
        hands = thoughts.hands[now].astype(np.float64)
        # every hand has four cards, so a constant would be a sum of the columns: the least-norm solution has it
        found = np.linalg.lstsq(hands, thoughts.search_values[now].astype(np.float64), rcond=None)[0]
        worth[:, turn] = found - found.mean()
    return worth
