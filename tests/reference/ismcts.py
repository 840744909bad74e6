"""Searches information-set trees with rollouts in plain Python, slowly, to judge the search in C."""

from __future__ import annotations

import math
from collections.abc import Iterator

from reference import rules as reference
from reference.search import Told, best_response, determinized, outcome

from sim_core import ACTIONS


class SlowNode:
    """Counts visits and outcomes of one action, for the player who takes it. Children keep the order they came in.

    Where an opponent is told, `behind` has the nodes behind the action by that opponent's replies.
    """

    def __init__(self) -> None:
        self.visits = 0
        self.available = 0
        self.outcomes = 0.0
        self.children: dict[str, SlowNode] = {}
        self.behind: dict[tuple[str, ...], SlowNode] = {}

    def score(self, c: float) -> float:
        return self.outcomes / self.visits + c * math.sqrt(math.log(self.available) / self.visits)


def legal_actions(position: reference.Position) -> list[str]:
    """Returns the legal actions in the order of their ids; none if the game is over."""
    if reference.is_terminal(position):
        return []
    return sorted(reference.legal_actions(position), key=ACTIONS.index)


def drawn(actions: list[str], words: Iterator[int]) -> str:
    return actions[(next(words) >> 32) * len(actions) >> 32]


def exact_value(position: reference.Position, exact: bool, told: Told | None) -> float | None:
    """Returns the value for player 0 where the solver ends an iteration. None: it does not."""
    if not exact or not (told.is_solved(position) if told else not any(position.decks)):
        return None
    if told:
        value = best_response(position, told.name, told.searcher)
        return value if told.searcher == 0 else -value
    value = reference.minimax_endgame(position)
    return value if position.to_move == 0 else -value


def rollout(position: reference.Position, words: Iterator[int], exact: bool, told: Told | None) -> float:
    """Plays at random to the end, and returns the outcome for player 0."""
    while legal := legal_actions(position):
        value = exact_value(position, exact, told)
        if value is not None:
            return value
        position = reference.step(position, drawn(legal, words))
    return outcome(position, 0)


def slow_iteration(
    root: SlowNode,
    position: reference.Position,
    words: Iterator[int],
    c: float,
    exact: bool,
    told: Told | None = None,
) -> int:
    """Makes one iteration. Returns how many nodes it passed with children that its determinization does not allow."""
    position = determinized(position, words)
    node, path, impossible = root, [], 0
    while True:
        replies: tuple[str, ...] = ()
        while told and told.is_to_reply(position) and exact_value(position, exact, told) is None:
            replies = (*replies, told.reply(position))
            position = reference.step(position, replies[-1])
        if replies:
            node = node.behind.setdefault(replies, SlowNode())
        legal = legal_actions(position)
        if not legal or exact_value(position, exact, told) is not None:
            break
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
    result = rollout(position, words, exact, told)
    for passed, mover in path:
        passed.visits += 1
        passed.outcomes += result if mover == 0 else -result
    return impossible
