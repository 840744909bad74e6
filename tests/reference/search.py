"""Searches information-set trees in plain Python, slowly, over the reference's rules, to judge the search in C."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from reference import opponents
from reference import rules as reference
from reference.beliefs import policy

from sim_core import ACTIONS, OBSERVATION_SIZE, Action, State

A = len(ACTIONS)
_RNG = np.random.default_rng(2024)
_LOGITS = _RNG.integers(1, 2**20, (OBSERVATION_SIZE, A))
_VALUES = _RNG.integers(1, 2**20, OBSERVATION_SIZE)

Answer = tuple[np.ndarray, np.ndarray]


def scrambled(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
    """Returns arbitrary logits in (-1.5, 1.5) and values in (-1, 1) of each row, exact because computed in integers."""
    whole = np.rint(observations * 72).astype(np.int64)  # every number of an observation is a multiple of 1/72
    logits = (whole @ _LOGITS) % 1_000_003 / 1_000_003 * 3 - 1.5
    values = (whole @ _VALUES) % 1_000_003 / 1_000_003 * 2 - 1
    return logits.astype(np.float32), values.astype(np.float32)


MASK = 2**64 - 1
EXACT_PLIES = {"random": 6, "noisy": 6}  # turns before the end; the best response to the others is found from 8 on


def mix(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def stream(seed: int, purpose: int, a: int, b: int) -> Iterator[int]:
    """Yields the 64-bit words of SplitMix64, from a key that is hashed of the four numbers."""
    key = mix(seed + 0x9E3779B97F4A7C15 & MASK)
    key = mix(key ^ (purpose * 0xD1342543DE82EF95 & MASK))
    key = mix(key ^ (a * 0xA24BAED4963EE407 + 1 & MASK))
    key = mix(key ^ (b * 0x9FB21C651E98DF25 + 2 & MASK))
    while True:
        key = key + 0x9E3779B97F4A7C15 & MASK
        yield mix(key)


def shuffled(cards: tuple[str, ...], words: Iterator[int]) -> list[str]:
    """Shuffles by Fisher and Yates from the first place on. A number below n is the high word of a product with n.

    Only a word's high half is used. n is far below 2**32, so that rejecting words to be exact is too rare to matter.
    """
    left = sorted(cards, key=reference.CARDS.index)
    for i in range(len(left) - 1):
        j = i + ((next(words) >> 32) * (len(left) - i) >> 32)
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


@dataclass(frozen=True)
class Plain:
    """Holds the settings of the slow tree, by the names of `SearchSettings`."""

    c_puct: float = 1.5
    nodes: str = "shared"
    availability: bool = False
    exact_leaves: bool = True


def outcome(position: reference.Position, player: int) -> int:
    winner = reference.winner(position)
    return 0 if winner is None else 1 if winner == player else -1


@lru_cache(maxsize=1 << 16)
def best_response(position: reference.Position, name: str, searcher: int) -> float:
    """Returns the value for `searcher` of the best response to an opponent that plays the other side."""
    if reference.is_terminal(position):
        return outcome(position, searcher)

    def after(action: str) -> float:
        return best_response(reference.step(position, action), name, searcher)

    if position.to_move == searcher:
        return max(map(after, reference.legal_actions(position)))
    return sum(chance * after(action) for action, chance in policy(name, position).items() if chance > 0)


@dataclass(frozen=True)
class Told:
    """Holds what a search is told: that a built-in opponent plays against `searcher`. Its draws are of `words`."""

    name: str
    searcher: int
    words: Iterator[int]

    def is_solved(self, position: reference.Position) -> bool:
        """Returns whether the best response is searched to the end from here on."""
        plies = EXACT_PLIES.get(self.name, 8)
        return not any(position.decks) and reference.LAST_PLY - position.ply <= plies

    def is_to_reply(self, position: reference.Position) -> bool:
        return not reference.is_terminal(position) and position.to_move != self.searcher

    def reply(self, position: reference.Position) -> str:
        """Returns the opponent's action. Among several highest scores one word draws, by the actions' order."""
        scores = opponents.action_scores(self.name, position)
        order = sorted(scores, key=lambda text: Action.parse(text).id)
        if self.name == "noisy" and len(order) > 1:
            for action in order:
                one, other = (((next(self.words) >> 12) + 0.5) / 2**52 for _ in range(2))
                normal = math.sqrt(-2 * math.log(one)) * math.cos(2 * math.pi * other)
                scores[action] += opponents.NOISE_SIGMA * normal
        best = [action for action in order if scores[action] >= max(scores.values()) - opponents.TIE]
        return best[(next(self.words) >> 32) * len(best) >> 32] if len(best) > 1 else best[0]


class SlowNode:
    """Keeps priors, visits and value sums by action text, for the player to move."""

    def __init__(self) -> None:
        self.prior: dict[str, float] = {}
        self.visits: dict[str, int] = {}
        self.total: dict[str, float] = {}
        self.available: dict[str, int] = {}
        # behind an action, by the opponent's replies and what only the player to move then knows
        self.children: dict[tuple[str, tuple[tuple[str, ...], tuple[str, ...]]], SlowNode] = {}
        self.evaluations: list[float] = []

    def expand(self, position: reference.Position, legal: list[str]) -> float:
        """Asks the network, and gives a prior to the actions that have none yet."""
        logits, values = scrambled(State.parse(reference.format(position)).observe()[None], np.ones((1, A), bool))
        weights = {action: math.exp(logits[0, Action.parse(action).id]) for action in legal}
        for action in legal:
            if action not in self.prior:
                self.prior[action] = weights[action] / sum(weights.values())
                self.visits[action] = self.available[action] = 0
                self.total[action] = 0.0
        self.evaluations.append(float(values[0]))
        return float(values[0])

    def best(self, legal: list[str], plain: Plain) -> str:
        """Returns the action that PUCT chooses."""
        visits = sum(self.visits[action] for action in legal)
        whole = sum(self.prior[action] for action in legal)

        def puct(action: str) -> float:
            n = self.visits[action]
            value = self.total[action] / n if n else sum(self.evaluations) / len(self.evaluations)
            trials = self.available[action] if plain.availability else max(visits, 1)
            return value + plain.c_puct * self.prior[action] / whole * math.sqrt(trials) / (1 + n)

        return max(legal, key=puct)


def exact_value(position: reference.Position, plain: Plain, told: Told | None) -> float | None:
    """Returns the value for the player to move of a leaf that needs no network. None: it needs one."""
    if reference.is_terminal(position):
        return outcome(position, position.to_move)
    if not plain.exact_leaves or not (told.is_solved(position) if told else not any(position.decks)):
        return None
    if told is None:
        return reference.minimax_endgame(position)
    value = best_response(position, told.name, told.searcher)
    return value if position.to_move == told.searcher else -value


def slow_simulation(
    node: SlowNode,
    position: reference.Position,
    plain: Plain,
    is_root: bool,
    forced: str | None = None,
    told: Told | None = None,
) -> float:
    """Makes one descent, and returns the value for the player to move in `position`. `forced` is the root's action."""
    exact = None if is_root else exact_value(position, plain, told)
    if exact is not None:
        return exact
    legal = sorted(reference.legal_actions(position), key=lambda text: Action.parse(text).id)
    if forced is None:
        for action in legal:
            if action in node.prior:
                node.available[action] += 1
        if any(action not in node.prior for action in legal):
            return node.expand(position, legal)
    action = forced or node.best(legal, plain)
    after = reference.step(position, action)
    replies: tuple[str, ...] = ()
    while told and told.is_to_reply(after) and exact_value(after, plain, told) is None:
        replies = (*replies, told.reply(after))
        after = reference.step(after, replies[-1])
    # what only the player to move there knows
    private = after.hands[after.to_move] if plain.nodes == "private" else ()
    child = node.children.setdefault((action, (replies, private)), SlowNode())
    value = slow_simulation(child, after, plain, False, told=told)
    if after.to_move != position.to_move:
        value = -value
    node.visits[action] += 1
    node.total[action] += value
    return value


def small_position(rng: random.Random, hand: int, decks: tuple[int, int], ply: int) -> reference.Position:
    """Returns a position with few cards left, so that the plain minimax at the leaves is quick."""
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
