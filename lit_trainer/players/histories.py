"""Turns what was played so far in single games into beliefs about the other player's hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sim_core import Action, Belief, Beliefs, State, get_game
from sim_core.game import GameHandle

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


def beliefs_of(
    opponent: str, states: Sequence[State], histories: Sequence[History] | None, field: str = "histories"
) -> HandBeliefs | None:
    """Returns what the players to move believe. Nothing is read from any position that they could not see there.

    Args:
        opponent: Name of the built-in opponent that they play against.
        states: Positions, at least one, all of one game.
        histories: What was played before each of them; empty where that is unknown, so that beliefs are uniform. None:
            nothing is known of any.
        field: Argument that holds the histories, for messages.

    Returns:
        The beliefs. None: the game has no hidden hands.

    Raises:
        ValueError: Names the game and the turn that is missing, or that contradicts the next one.
    """
    histories = [()] * len(states) if histories is None else histories
    if len(histories) != len(states):
        raise ValueError(f"{field}: {len(histories)} given, expected {len(states)}, one for each position")
    memory = _memory(states[0].game, len(states))
    games = []
    for slot, (state, history) in enumerate(zip(states, histories, strict=True)):
        where = field if field == "history" else f"{field}[{slot}]"
        _check_turns(history, state, where)
        _check_play(history, state, where, memory is not None)
        if memory is not None:
            start = history[0][0] if len(history) else state
            belief = Belief(state.game, start.data, state.to_move, opponent, beliefs=memory, slot=slot)
            for before, action in history:
                belief.observe(before.data, action.id)
            games.append(belief)
    return None if memory is None else HandBeliefs(memory, tuple(games))


def _memory(game: str, slots: int) -> Beliefs | None:
    try:
        return Beliefs(game, slots)
    except ValueError:
        return None  # the game has no hidden hands


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
