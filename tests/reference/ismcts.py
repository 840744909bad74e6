"""Searches information-set trees with rollouts in plain Python, slowly, to judge the search in C."""

from __future__ import annotations

import math
from collections.abc import Iterator

from reference import rules as reference
from reference.search import determinized

from sim_core import ACTIONS


class SlowNode:
    """Counts visits and outcomes of one action, for the player who takes it. Children keep the order they came in."""

    def __init__(self) -> None:
        self.visits = 0
        self.available = 0
        self.outcomes = 0
        self.children: dict[str, SlowNode] = {}

    def score(self, c: float) -> float:
        return self.outcomes / self.visits + c * math.sqrt(math.log(self.available) / self.visits)


def legal_actions(position: reference.Position) -> list[str]:
    """Returns the legal actions in the order of their ids; none if the game is over."""
    if reference.is_terminal(position):
        return []
    return sorted(reference.legal_actions(position), key=ACTIONS.index)


def drawn(actions: list[str], words: Iterator[int]) -> str:
    return actions[(next(words) >> 32) * len(actions) >> 32]


def rollout(position: reference.Position, words: Iterator[int], exact: bool) -> int:
    """Plays at random to the end, and returns the outcome for player 0."""
    while legal := legal_actions(position):
        if exact and not any(position.decks):
            value = reference.minimax_endgame(position)
            return value if position.to_move == 0 else -value
        position = reference.step(position, drawn(legal, words))
    winner = reference.winner(position)
    return 0 if winner is None else 1 if winner == 0 else -1


def slow_iteration(root: SlowNode, position: reference.Position, words: Iterator[int], c: float, exact: bool) -> int:
    """Makes one iteration. Returns how many nodes it passed with children that its determinization does not allow."""
    position = determinized(position, words)
    node, path, impossible = root, [], 0
    while (legal := legal_actions(position)) and not (exact and not any(position.decks)):
        known = [action for action in node.children if action in legal]
        untried = [action for action in legal if action not in node.children]
        impossible += len(known) < len(node.children)
        if untried:
            action = drawn(untried, words)
            child = SlowNode()
        else:
            action = max(known, key=lambda action: node.children[action].score(c))
            child = node.children[action]
        node.children[action] = child
        for other in {*known, action}:
            node.children[other].available += 1
        path.append((child, position.to_move))
        node, position = child, reference.step(position, action)
        if untried:
            break
    outcome = rollout(position, words, exact)
    for passed, mover in path:
        passed.visits += 1
        passed.outcomes += outcome if mover == 0 else -outcome
    return impossible
