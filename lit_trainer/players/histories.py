"""Turns what was played so far in single games into beliefs about the other player's hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_core import Action, AgentModel, Belief, Beliefs, GameBatch, State, get_game
from sim_core.expectations import unknown_plays
from sim_core.game import GameHandle
from sim_core.runner_settings import SLIP, checked_known_opponents

History = Sequence[tuple[State, Action]]
"""Turns of a game so far, from the first on: each turn's position, and the action taken there."""

DRAWS = 256
"""Draws of a player's own next card that are tried to reach the position after its turn."""


class HandBeliefs(NamedTuple):
    """Holds what the players to move in some games of a batch believe of the other player's hand."""

    memory: Beliefs
    """Memory with a slot for each game, for `search`."""
    games: tuple[Belief, ...]
    """Belief of each game."""


Policy = Callable[[GameBatch], NDArray[np.float32]]
"""Returns the probabilities of all actions [m, A] in positions, zeros where they are not legal."""


def beliefs_of(
    opponent: str | AgentModel,
    states: Sequence[State],
    histories: Sequence[History] | None,
    field: str = "histories",
    policy: Policy | None = None,
    known: Sequence[str] | None = None,
) -> HandBeliefs | None:
    """Returns what the players to move believe. Nothing is read from any position that they could not see there.

    Args:
        opponent: Name of the built-in opponent that they play against, or an agent. "infer": one of the known ones, or
            none of them.
        states: Positions, at least one, all of one game.
        histories: What was played before each of them; empty where that is unknown, so that beliefs are uniform. None:
            nothing is known of any.
        field: Argument that holds the histories, for messages.
        policy: Policy of whoever infers, by which one that is none of the built-in opponents is expected to play. Only
            needed to infer.
        known: Names of the built-in opponents that whoever infers tells apart. None: all of the game's.

    Returns:
        The beliefs. None: the game has no hidden hands, or there is nobody to tell apart.

    Raises:
        ValueError: Names the game and the turn that is missing, or that contradicts the next one.
    """
    histories = [()] * len(states) if histories is None else histories
    if len(histories) != len(states):
        raise ValueError(f"{field}: {len(histories)} given, expected {len(states)}, one for each position")
    rules = get_game(states[0].game)
    for slot, (state, history) in enumerate(zip(states, histories, strict=True)):
        where = field if field == "history" else f"{field}[{slot}]"
        _check_turns(history, state, where)
        _check_play(history, state, where, rules.has_hidden_hands)
    infers = opponent == "infer"
    names = checked_known_opponents(known, rules) if infers else (opponent,)
    if not rules.has_hidden_hands or not names:
        return None
    opponents = (*names, None) if infers else names
    memory = Beliefs(rules.name, len(states), len(opponents))
    games = tuple(
        Belief(
            rules.name,
            (history[0][0] if len(history) else state).data,
            state.to_move,
            opponents,
            SLIP if infers else 0.0,
            beliefs=memory,
            slot=slot,
        )
        for slot, (state, history) in enumerate(zip(states, histories, strict=True))
    )
    if policy is not None and infers:
        others = _played_by_nobody_known(games, states, histories, policy)
    else:
        others = [[None] * len(history) for history in histories]
    for belief, history, likelihoods in zip(games, histories, others, strict=True):
        for (before, action), other in zip(history, likelihoods, strict=True):
            belief.observe(before.data, action.id, other)
    return HandBeliefs(memory, games)


def _played_by_nobody_known(
    games: Sequence[Belief], states: Sequence[State], histories: Sequence[History], policy: Policy
) -> list[list[float | None]]:
    """Returns, for each turn of the other player, how likely one that is none of the known opponents plays so."""
    imagined: list[bytes] = []
    asked: list[tuple[int, int, int, int]] = []  # the game, its turn, the action, and the number of positions
    for number, (belief, state, history) in enumerate(zip(games, states, histories, strict=True)):
        for turn, (before, action) in enumerate(history):
            if before.to_move != state.to_move:
                found = belief.imagine(before.data, action.id, turn)
                asked.append((number, turn, action.id, len(found)))
                imagined += found
    likelihoods: list[list[float | None]] = [[None] * len(history) for history in histories]
    if not imagined:
        return likelihoods
    packed = np.frombuffer(b"".join(imagined), np.uint8).reshape(len(imagined), -1)
    batch = GameBatch.from_packed(packed, game=states[0].game)
    played, legal = policy(batch), batch.legal_mask().sum(axis=1)
    first = 0
    for number, turn, action_id, count in asked:
        rows = range(first, first + count)
        shares = [unknown_plays(float(played[row, action_id]), int(legal[row])) for row in rows]
        likelihoods[number][turn] = sum(shares) / count if count else None
        first += count
    return likelihoods


def _check_turns(history: History, state: State, where: str) -> None:
    """Checks that a history has one turn for each ply before the position."""
    for k, turn in enumerate(history):
        if not (isinstance(turn, tuple) and list(map(type, turn)) == [State, Action]):
            raise ValueError(f"{where}: turn {k + 1}: {turn!r} given, expected a State and an Action")
        if wrong := [part for part in turn if part.game != state.game]:
            raise ValueError(f"{where}: turn {k + 1}: {wrong[0]!r} given, expected {state.game}")
        if turn[0].ply != k:
            raise ValueError(f"{where}: turn {k + 1}: missing, what follows is turn {turn[0].ply + 1}")
    if len(history) and len(history) != state.ply:
        last = min(len(history), state.ply) + 1
        what = "missing" if len(history) < state.ply else "given, but it was not played yet"
        raise ValueError(f"{where}: turn {last}: {what}, the position asked about is that of turn {state.ply + 1}")


def _check_play(history: History, state: State, where: str, hands: bool) -> None:
    """Checks that each turn leads to the next one's position, as far as the player to move in `state` can see."""
    rules = get_game(state.game)
    follows = [before for before, _ in history[1:]] + [state]
    for k, ((before, action), after) in enumerate(zip(history, follows, strict=False)):
        if hands:
            fits = _may_lead_to(rules, before.data, action.id, after.data, 1 - state.to_move)
        else:
            # where a game does not tell what is hidden, nothing can be compared
            fits = rules.hidden_size > 0 or (action in before.legal_actions() and before.step(action) == after)
        if not fits:
            raise ValueError(f"{where}: turn {k + 1}: {action} does not lead to the position of turn {k + 2}")


def _may_lead_to(rules: GameHandle, before: bytes, action: int, after: bytes, other: int) -> bool:
    """Returns whether an action can lead from one position to the next, for all that is not hidden by `other`."""
    dealt: Iterable[bytes] = ()
    if rules.to_move(before) == other:
        hands = rules.hidden_hands(before, other)[rules.hand_likelihoods("random", before, action) > 0]
        dealt = [rules.deal_hand(before, other, int(hand), 0) for hand in hands[:1]]
    elif action in rules.legal_actions(before):
        # the player's own next card is one of its deck, and afterwards it sees which
        dealt = (rules.determinize(before, draw) for draw in range(DRAWS))
    held, seen = _held_against(rules, after, other), _seen(rules, after, other)
    reached = (rules.step(position, action) for position in dealt)
    return any(_held_against(rules, state, other) == held and _seen(rules, state, other) == seen for state in reached)


def _held_against(rules: GameHandle, state: bytes, other: int) -> bytes:
    """Returns which cards the opponent of `other` holds, where `other` is to move, and nothing elsewhere."""
    return rules.hidden_targets(state).tobytes() if rules.to_move(state) == other else b""


def _seen(rules: GameHandle, state: bytes, other: int) -> bytes:
    """Returns a position with hand and decks replaced by ones that do not depend on what `other` hides."""
    return rules.deal_hand(state, other, int(rules.hidden_hands(state, other)[0]), 0)
