"""Bayes' rule over whole deals in plain Python: every hand and every order of the cards that are drawn.

Slow, and nothing is summed up on the way: a deal's weight is the product of how likely each of its owner's actions was.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations

from reference import opponents
from reference.rules import Position, legal_actions, sort_set, species, split_action

Turn = tuple[Position, str]
"""A position and the action that was played there."""


def policy(name: str, position: Position) -> dict[str, float]:
    """Returns how likely an opponent plays each legal action."""
    scores = opponents.action_scores(name, position)
    if name == "noisy":
        return {action: _chance_to_win(scores, action) for action in scores}
    best = scores if name == "random" else opponents.best_actions(name, position)
    return {action: (action in best) / len(best) for action in scores}


def _chance_to_win(scores: dict[str, float], chosen: str) -> float:
    """Returns how likely the chosen score is the highest with noise, by the trapezoidal rule."""
    total, step = 0.0, 0.05
    for k in range(-160, 161):
        value = step * math.exp(-0.5 * (k * step) ** 2) / math.sqrt(2 * math.pi)
        for action, score in scores.items():
            if action != chosen:
                lead = k * step + (scores[chosen] - score) / opponents.NOISE_SIGMA
                value *= 0.5 * math.erfc(-lead / math.sqrt(2))
        total += value
    return total


def weights(name: str, turns: Sequence[Turn], mover: int) -> dict[tuple[str, ...], float]:
    """Returns a weight for each hand that `mover` may hold after these turns. They sum to how likely its actions were.

    Args:
        name: Opponent that plays for `mover`.
        turns: Turns of both players in order. The hands and decks of `mover` are not read, only which cards they have.
        mover: Player whose hand is hidden.
    """
    first = turns[0][0]
    unplayed = sort_set((*first.hands[mover], *first.decks[mover]))
    own = [(position, action) for position, action in turns if position.to_move == mover]
    size, drawn = len(first.hands[mover]), min(len(own), len(first.decks[mover]))
    seen: dict[tuple[int, tuple[str, ...]], float] = {}

    def likelihood(turn: int, hand: tuple[str, ...]) -> float:
        if (turn, hand) not in seen:
            position, action = own[turn]
            hands, decks = list(position.hands), list(position.decks)
            gone = {split_action(played)[0] for _, played in own[:turn]}
            hands[mover] = hand
            decks[mover] = tuple(c for c in unplayed if c not in hand and species(c) not in gone)
            dealt = replace(position, hands=tuple(hands), decks=tuple(decks))
            chances = policy(name, dealt) if action in legal_actions(dealt) else {}
            seen[turn, hand] = chances.get(action, 0.0)
        return seen[turn, hand]

    found: dict[tuple[str, ...], float] = defaultdict(float)
    deals = math.comb(len(unplayed), size) * math.perm(len(unplayed) - size, drawn)
    for start in combinations(unplayed, size):
        for deck in permutations([card for card in unplayed if card not in start], drawn):
            hand, weight = start, 1 / deals
            for turn, (_, action) in enumerate(own):
                weight *= likelihood(turn, hand)
                if not weight:
                    break
                left = [card for card in hand if species(card) != split_action(action)[0]]
                hand = sort_set([*left, *deck[turn : turn + 1]])
            else:
                found[hand] += weight
    return found
