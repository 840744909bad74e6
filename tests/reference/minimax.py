"""Searches a game to its end by plain minimax, to judge the solvers by."""

from __future__ import annotations

from sim_core import get_game


def minimax(state: bytes, game: str, known: dict[bytes, int]) -> int:
    """Returns the value for the player to move; nothing is pruned."""
    if state not in known:
        rules = get_game(game)
        if rules.is_terminal(state):
            known[state] = rules.outcome(state, rules.to_move(state))
        else:
            known[state] = max(
                -minimax(rules.step(state, action), game, known) for action in rules.legal_actions(state)
            )
    return known[state]
