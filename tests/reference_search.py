"""The information-set tree search again in plain Python, slowly, over the reference's rules: a judge for the C one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import numpy as np
import reference

from sim_core import ACTIONS, OBSERVATION_SIZE, Action, State

A = len(ACTIONS)
_RNG = np.random.default_rng(2024)
_LOGITS = _RNG.integers(1, 2**20, (OBSERVATION_SIZE, A))
_VALUES = _RNG.integers(1, 2**20, OBSERVATION_SIZE)

Answer = tuple[np.ndarray, np.ndarray]


def scrambled(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
    """Arbitrary logits in (-1.5, 1.5) and values in (-1, 1) of each row alone, by whole numbers and so exactly."""
    whole = np.rint(observations * 72).astype(np.int64)  # every number of an observation is one of 1/72
    logits = (whole @ _LOGITS) % 1_000_003 / 1_000_003 * 3 - 1.5
    values = (whole @ _VALUES) % 1_000_003 / 1_000_003 * 2 - 1
    return logits.astype(np.float32), values.astype(np.float32)


MASK = 2**64 - 1


def mix(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def stream(seed: int, purpose: int, a: int, b: int) -> Iterator[int]:
    """SplitMix64 from a key hashed of the four numbers, as 32-bit words."""
    key = mix(seed + 0x9E3779B97F4A7C15 & MASK)
    key = mix(key ^ (purpose * 0xD1342543DE82EF95 & MASK))
    key = mix(key ^ (a * 0xA24BAED4963EE407 + 1 & MASK))
    key = mix(key ^ (b * 0x9FB21C651E98DF25 + 2 & MASK))
    while True:
        key = key + 0x9E3779B97F4A7C15 & MASK
        yield mix(key) >> 32


def shuffled(cards: tuple[str, ...], words: Iterator[int]) -> list[str]:
    """Fisher and Yates from the first place on; a number below n is the high word of a product (n is far under
    2**32, so that rejecting words to be exact happens too rarely to matter here)."""
    left = sorted(cards, key=reference.CARDS.index)
    for i in range(len(left) - 1):
        j = i + (next(words) * (len(left) - i) >> 32)
        left[i], left[j] = left[j], left[i]
    return left


def determinized(position: reference.Position, words: Iterator[int]) -> reference.Position:
    me, other = position.to_move, 1 - position.to_move
    hands, decks = list(position.hands), list(position.decks)
    # a deck is drawn from the end of a shuffle; the reference keeps it the other way round
    decks[me] = tuple(reversed(shuffled(decks[me], words)))
    if decks[other]:
        unseen = shuffled(hands[other] + decks[other], words)
        size = len(hands[other])
        hands[other] = reference.sort_set(unseen[:size])
        decks[other] = tuple(reversed(unseen[size:]))
    return reference.Position(
        position.queue,
        position.bar,
        position.thatsit,
        (hands[0], hands[1]),
        (decks[0], decks[1]),
        me,
        position.ply,
    )


class SlowNode:
    """Priors, visits and value sums by action text, for the player to move."""

    def __init__(self) -> None:
        self.prior: dict[str, float] = {}
        self.visits: dict[str, int] = {}
        self.total: dict[str, float] = {}
        self.children: dict[str, SlowNode] = {}
        self.evaluations: list[float] = []


def slow_simulation(node: SlowNode, position: reference.Position, c_puct: float, is_root: bool) -> float:
    """One descent; the value for the player to move in `position`."""
    if not is_root and (reference.is_terminal(position) or not any(position.decks)):
        if reference.is_terminal(position):
            winner = reference.winner(position)
            return 0.0 if winner is None else 1.0 if winner == position.to_move else -1.0
        return float(reference.minimax_endgame(position))
    legal = reference.legal_actions(position)
    if any(action not in node.prior for action in legal):
        state = State.parse(reference.format(position))
        logits, values = scrambled(state.observe()[None], np.ones((1, A), bool))
        weights = {action: math.exp(logits[0, Action.parse(action).id]) for action in legal}
        for action in legal:
            if action not in node.prior:
                node.prior[action] = weights[action] / sum(weights.values())
                node.visits[action] = 0
                node.total[action] = 0.0
        node.evaluations.append(float(values[0]))
        return float(values[0])
    visits = sum(node.visits[action] for action in legal)
    whole = sum(node.prior[action] for action in legal)

    def puct(action: str) -> float:
        n = node.visits[action]
        value = node.total[action] / n if n else sum(node.evaluations) / len(node.evaluations)
        return value + c_puct * node.prior[action] / whole * math.sqrt(max(visits, 1)) / (1 + n)

    action = max(legal, key=puct)
    child = node.children.setdefault(action, SlowNode())
    value = -slow_simulation(child, reference.step(position, action), c_puct, False)
    node.visits[action] += 1
    node.total[action] += value
    return value


def small_position(rng: random.Random, hand: int, decks: tuple[int, int], ply: int) -> reference.Position:
    """A position with few cards left, so that the plain minimax at the leaves is quick."""
    cards = [rng.sample(part, 12) for part in (reference.CARDS[:12], reference.CARDS[12:])]
    hands = [reference.sort_set(part[:hand]) for part in cards]
    left = [tuple(part[hand : hand + size]) for part, size in zip(cards, decks, strict=True)]
    rest = [card for part, size in zip(cards, decks, strict=True) for card in part[hand + size :]]
    rng.shuffle(rest)
    waiting, bar = rng.randrange(5), rng.randrange(9)
    return reference.Position(
        tuple(rest[:waiting]),
        reference.sort_set(rest[waiting : waiting + bar]),
        reference.sort_set(rest[waiting + bar :]),
        (hands[0], hands[1]),
        (left[0], left[1]),
        ply % 2,
        ply,
    )
