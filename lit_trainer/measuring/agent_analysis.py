"""Analyses how an agent plays: its values, the place of each animal in its play, and single games."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_trainer.measuring.calibration import Calibration, calibration
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player, moves_after
from sim_core import ACTIONS, Action, Belief, GameBatch, State, get_game
from sim_core.beasty_bar.rules import LETTERS

OWN_TURNS = 12
"""Turns of each player: one for each animal."""

HAND = 4
"""Most cards in a hand."""

STAGES = {"turns 0 to 5": (0, 6), "turns 6 to 11": (6, 12), "turns 12 to 15": (12, 16)}
"""Stages of the game to the first turn of each, and the first turn after it."""

_BINS = 16


@dataclass(frozen=True)
class Thoughts:
    """Holds the positions of a player's games against itself, in order of play."""

    plies: NDArray[np.int64]
    """Turns already taken [k], 0 to 23."""
    hands: NDArray[np.bool_]
    """The mover's hand [k, 12], the strongest animal first."""
    played: NDArray[np.int64]
    """Which of the twelve animals the mover played [k]."""
    network_values: NDArray[np.float32]
    """The network's value for the mover [k], -1 to 1."""
    search_values: NDArray[np.float32]
    """The search's value for the mover [k]: the exact one where the endgame is solved, the network's without search."""
    outcomes: NDArray[np.int8]
    """The game's outcome for the mover [k]."""


def _hand_columns(game: str) -> slice:
    start = 0
    for name, size in get_game(game).observation_layout:
        if name == "own hand":
            return slice(start, start + size)
        start += size
    raise ValueError(f"game: {game} given, expected one with hands of animals")


def think(player: NetworkPlayer, games: int, seed: int, game: str = "beasty_bar") -> Thoughts:
    """Lets a player play itself, and keeps what it thought of every position.

    Args:
        player: The player, with or without search.
        games: Number of games.
        seed: Random seed of the deals.
        game: A variant of Beasty Bar.

    Raises:
        ValueError: The game has no hands of animals.
    """
    hand = _hand_columns(game)
    animal = np.array([LETTERS.index(text[0]) for text in ACTIONS])
    batch = GameBatch(games, seed, game=game)
    rows: list[tuple[NDArray, ...]] = []  # type: ignore[type-arg]
    while not batch.is_terminal.all():
        observations = batch.observe()
        values = np.array(player.evaluate(batch)[1])
        found = player.act(batch)
        searched = values if found.values is None else found.values
        rows.append((batch.ply, observations[:, hand] > 0.5, animal[found.actions], values, searched, batch.to_move))
        batch.step(found.actions)
    plies, hands, played, values, searched, movers = (np.concatenate(part) for part in zip(*rows, strict=True))
    outcomes = np.where(movers == 0, 1, -1) * np.tile(batch.outcomes(), len(rows))
    return Thoughts(plies.astype(np.int64), hands, played, values, searched, outcomes.astype(np.int8))


def play_shares(thoughts: Thoughts) -> NDArray[np.float64]:
    """Returns how often an animal is played when it is held [12 animals, 12 own turns]. NaN: it never is held."""
    shares = np.full((len(LETTERS), OWN_TURNS), np.nan)
    for turn in range(OWN_TURNS):
        now = thoughts.plies // 2 == turn
        for k in range(len(LETTERS)):
            held = now & thoughts.hands[:, k]
            if held.any():
                shares[k, turn] = (thoughts.played[held] == k).mean()
    return shares


def holding_worth(thoughts: Thoughts) -> NDArray[np.float64]:
    """Returns what holding an animal adds to the search's value [12 animals, 9 own turns], with mean zero in each turn.

    It is the least-squares fit of the value by the hand, over positions with four cards in hand. The last three turns
    have fewer cards.
    """
    worth = np.zeros((len(LETTERS), OWN_TURNS - 3))
    for turn in range(worth.shape[1]):
        now = thoughts.plies // 2 == turn
        hands = thoughts.hands[now].astype(np.float64)
        # every hand has four cards, so a constant would be a sum of the columns: the least-norm solution has it
        found = np.linalg.lstsq(hands, thoughts.search_values[now].astype(np.float64), rcond=None)[0]
        worth[:, turn] = found - found.mean()
    return worth


def _by_stage(thoughts: Thoughts, values: NDArray[np.float32]) -> dict[str, tuple[Any, Any]]:
    found = {}
    for name, (low, high) in STAGES.items():
        now = (thoughts.plies >= low) & (thoughts.plies < high)
        found[name] = values[now], thoughts.outcomes[now]
    return found


def calibration_by_stage(thoughts: Thoughts, values: NDArray[np.float32]) -> dict[str, Calibration]:
    """Returns stage of the game to how values [k] compare with what came of them."""
    return {name: calibration(*pair, bins=_BINS) for name, pair in _by_stage(thoughts, values).items()}


def calibration_errors(thoughts: Thoughts) -> dict[str, dict[str, float]]:
    """Returns the errors of network and search by stage of the game.

    ``NAME_gap`` is the calibration error, ``NAME_squared_error`` the mean squared error.
    """
    errors: dict[str, dict[str, float]] = {name: {} for name in STAGES}
    for kind, values in (("network", thoughts.network_values), ("search", thoughts.search_values)):
        for stage, (predicted, outcomes) in _by_stage(thoughts, values).items():
            errors[stage][f"{kind}_gap"] = calibration(predicted, outcomes, bins=_BINS).error
            errors[stage][f"{kind}_squared_error"] = float(((predicted - outcomes) ** 2).mean())
    return errors


def annotated_game(
    players: Sequence[Player],
    names: Sequence[str],
    judges: Sequence[NetworkPlayer],
    seed: int,
    game: str = "beasty_bar",
) -> list[dict[str, Any]]:
    """Plays one game, and keeps what a judge thinks of each turn before it is taken.

    Args:
        players: Players of seat 0 and seat 1. Seat 0 begins.
        names: Names of the two players.
        judges: Judges of seat 0 and seat 1. A seat's judge searches every position in which that seat is to move, and
            believes what follows from the turns before.
        seed: Random seed of the deal.
        game: Name of the game.

    Returns:
        One entry for each turn: ply, player, position, action, chance (of the mover, in percent), best (the three
        actions searched most, with their shares in percent), whether the action is the judge's choice (`agrees`), and
        what the judge believes (`believed`, none where it expects nobody: see `believed_cards`). The last entry holds
        the final position, the scores and the winner.
    """
    batch = GameBatch(1, seed, game=game)
    history: list[tuple[State, Action]] = []
    turns: list[dict[str, Any]] = []
    while not batch.is_terminal[0]:
        seat, state = int(batch.to_move[0]), batch.state(0)
        judge, player = judges[seat], players[seat]
        beliefs = judge.believe([state], [history])
        found = judge.search(batch, judge.conditions(batch, beliefs), beliefs)
        shares = found.visit_counts[0] / max(found.visit_counts[0].sum(), 1)
        order = np.argsort(-shares, kind="stable")[:3]
        action = int(moves_after(player, batch, lambda: [history]).actions[0])
        turns.append(
            {
                "ply": int(batch.ply[0]),
                "player": names[seat],
                "position": str(state),
                "action": ACTIONS[action],
                "chance": round(50 * (1 + float(found.value[0])), 1),
                "best": [[ACTIONS[k], round(100 * float(shares[k]), 1)] for k in order if shares[k] > 0],
                "agrees": bool(action == found.actions[0]),
                "believed": [] if beliefs is None else believed_cards(beliefs.games[0], 1 - seat),
            }
        )
        history.append((state, Action(action, game)))
        batch.step([action])
    final = batch.state(0)
    turns.append({"ply": 24, "position": str(final), "scores": list(final.scores()), "winner": final.winner()})
    return turns


def believed_cards(belief: Belief, other: int) -> list[list[Any]]:
    """Returns the cards that the other player most probably holds, each with its probability in percent.

    Args:
        belief: What is believed.
        other: Seat of the other player. Cards of seat 0 have capital letters.
    """
    held = belief.card_probabilities()
    likely = np.argsort(-held, kind="stable")[:HAND]
    letters = LETTERS if other == 0 else LETTERS.lower()
    return [[letters[k], round(100 * float(held[k]))] for k in likely if held[k] > 0]
