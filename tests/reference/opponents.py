"""Scores actions as the one-ply opponents do, in plain Python, on top of the reference rules.

`docs/opponents.md` says the same in prose. Each opponent plays every legal action on a copy of the position,
scores the result, and takes the highest. The scores are here, so that another implementation's choice can be
judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from reference.rules import (
    RECURRING,
    STRENGTH,
    Position,
    legal_actions,
    owner,
    points,
    species,
    split_action,
    step,
)

NOISE_SIGMA = 0.15
TIE = 1e-6  # scores this close to the best are tied with it
THREATS = frozenset("CHLZG")
QUEUE_VALUE = (0.53, 0.37, 0.25, 0.27, 0.10)


@dataclass(frozen=True)
class Material:
    """Holds the weights of E that differ between opponents."""

    bar: float = 2.0
    front: float = 1.1
    skunk_factor: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """Holds the weights of O."""

    mybar: float
    oppbar: float
    myout: float
    oppout: float
    q: float
    front: float
    threat: float
    parrot: float
    monkey: float
    skunk: float
    early: float
    late: float


MATERIAL = {
    "heuristic": Material(),
    "aggressive": Material(bar=3.0),
    "defensive": Material(bar=1.0),
    "queue": Material(front=2.0),
    "skunk": Material(skunk_factor=2.0),
    "noisy": Material(),
    "online": Material(),
}
OUTCOME = {
    "outcome_heuristic": Outcome(3.0, -2.0, -2.5, 2.0, 1.5, 2.0, 1.5, 0.4, 15, 0.5, 0.5, 0.3),
    "distilled_outcome": Outcome(4.2, -2.5, -3.5, 2.8, 1.8, 2.5, 2.2, 0.6, 18, 0.7, 0.6, 0.4),
}
NAMES = ("random", *MATERIAL, *OUTCOME)


class Turn:
    """Holds one action with the positions before and after it, as its player `me` sees them."""

    def __init__(self, before: Position, action: str) -> None:
        self.before = before
        self.after = step(before, action)
        self.me = before.to_move
        self.played, self.acting_as, self.choice = split_action(action)

    def is_mine(self, card: str) -> bool:
        return owner(card) == self.me

    @cached_property
    def hand_after(self) -> tuple[str, ...]:
        """Returns the mover's hand without the card played and without the one drawn."""
        return tuple(card for card in self.before.hands[self.me] if species(card) != self.played)

    @cached_property
    def target(self) -> int | None:
        """Returns the place in the line before of the card that a parrot sends away. None: no parrot, or no card.

        Reading: a chameleon that imitates a parrot is a chameleon that was played, not a parrot.
        """
        return int(self.choice) if self.played == "P" and self.choice else None

    def _gained(self, zone: str) -> tuple[int, int]:
        """Returns the points that came to "bar" or "thatsit" in this turn: the mover's and the opponent's."""
        new = set(getattr(self.after, zone)) - set(getattr(self.before, zone))
        mine = sum(points(card) for card in new if self.is_mine(card))
        return mine, sum(map(points, new)) - mine

    @cached_property
    def bar_gain(self) -> tuple[int, int]:
        return self._gained("bar")

    @cached_property
    def lost(self) -> tuple[int, int]:
        """Returns the points that the turn sent to THAT'S IT: the mover's and the opponent's.

        Reading: whatever reached it counts, the card just played and the fifth animal included.
        """
        return self._gained("thatsit")


@lru_cache(maxsize=1 << 15)
def _turn(before: Position, action: str) -> Turn:
    return Turn(before, action)


def action_scores(name: str, position: Position) -> dict[str, float]:
    """Returns the score of each legal action: for `noisy` without its noise, for `random` the same for all.

    Raises:
        ValueError: There is no opponent of that name.
    """
    if name not in NAMES:
        raise ValueError(f"no opponent {name!r}; there are {', '.join(NAMES)}")
    return {action: _score(name, _turn(position, action)) for action in legal_actions(position)}


def best_actions(name: str, position: Position) -> set[str]:
    """Returns the actions that tie for the best score."""
    by_action = action_scores(name, position)
    best = max(by_action.values())
    return {action for action, score in by_action.items() if score >= best - TIE}


def _score(name: str, turn: Turn) -> float:
    if name == "random":
        return 0.0
    if name in OUTCOME:
        return outcome(turn, OUTCOME[name])
    if name == "online":
        return material(turn, MATERIAL[name]) + reaction(turn)
    return material(turn, MATERIAL[name]) + bonus(turn)


def material(turn: Turn, weights: Material) -> float:
    """Returns E, from the position after the turn. L is the length of the line after the turn."""
    after = turn.after

    def worth(card: str) -> float:
        # Reading: "counted double in E" holds wherever E counts the skunk, the own hand included.
        factor = weights.skunk_factor if species(card) == "U" else 1.0
        return points(card) * factor * (1 if turn.is_mine(card) else -1)

    total = sum(weights.bar * worth(card) for card in after.bar)
    for i, card in enumerate(after.queue):
        p = 1 - i / len(after.queue)
        total += (weights.front * p + 0.3 * (1 - p)) * worth(card)
    total += sum(-0.5 * worth(card) for card in after.thatsit)
    return total + sum(0.1 * worth(card) for card in turn.hand_after)


def bonus(turn: Turn) -> float:
    """Returns A, for the card played. A chameleon has its own row, whatever it imitates."""
    before, after = turn.before.queue, turn.after.queue
    my_loss, their_loss = turn.lost
    own_front = [species(card) if turn.is_mine(card) else "" for card in after[:2]]
    match turn.played:
        case "U":
            if their_loss >= 5:
                return 3.0
            if their_loss >= 3:
                return 1.5
            return -2.0 if their_loss == 0 and my_loss > 0 else 0.0
        case "P" if turn.target is not None:
            target = before[turn.target]
            return (-0.5 if turn.is_mine(target) else 0.5) * points(target)
        case "L":
            return 2.0 if own_front[:1] == ["L"] else 0.0
        case "M":
            return 2.5 if their_loss >= 4 else 0.0
        case "E":
            mine, theirs = turn.bar_gain
            return 1.5 if mine > theirs else -1.0 if mine < theirs else 0.0
        case "S":
            # Reading: cards are counted, not points: before the snake joins, and at the turn's end.
            if sum(map(turn.is_mine, after)) <= sum(map(turn.is_mine, before)):
                return 0.0
            return 0.5 * sum(points(card) for card in after[:2] if turn.is_mine(card))
        case "Z":
            return 1.5 if any(species(card) in "HC" and not turn.is_mine(card) for card in after) else -0.5
        case "K":
            return 1.0 if "K" in own_front else 0.0
        case "G":
            return {0: 1.5, 1: 0.5}[own_front.index("G")] if "G" in own_front else 0.0
        case "C":
            return 0.3 * their_loss
        case "X" if turn.acting_as:  # a zebra's strength too, though the chameleon does nothing then
            return 0.1 * STRENGTH[turn.acting_as]
        case _:
            return 0.0


def reaction(turn: Turn) -> float:
    """Returns R, for the card played, from the line before it. i / L is of that line."""
    before = turn.before.queue
    # Reading: a card is played once everybody has seen it, in the line, in the bar or in THAT'S IT.
    seen_of_theirs = {
        species(card) for card in (*before, *turn.before.bar, *turn.before.thatsit) if not turn.is_mine(card)
    }
    match turn.played:
        case "C":
            if any(species(card) == "X" for card in before):  # of either owner
                return 5.0
            return 0.0 if "X" in seen_of_theirs else -1.0
        case "U":
            present = {species(card) for card in before} - {"U"}
            if len(present) < 2:
                return -1.5
            strongest = sorted(present, key=STRENGTH.__getitem__, reverse=True)[:2]
            hit = [card for card in before if species(card) in strongest]
            net = sum(-points(card) if turn.is_mine(card) else points(card) for card in hit)
            return 4.0 if net >= 4 else 2.0 if net >= 2 else -3.0 if net <= -2 else 0.0
        case "L":
            if any(species(card) == "L" for card in before):  # the own lion is the card played
                return -5.0
            return 3.0 if "L" in seen_of_theirs else -2.0
        case "P" if turn.target is not None:
            target = before[turn.target]
            if turn.is_mine(target):
                return -0.5 * points(target)
            return 0.3 * points(target) + 2 * (1 - turn.target / len(before))
        case _:
            return 0.0


def outcome(turn: Turn, w: Outcome) -> float:
    """Returns O: what the turn changed, and more for the card played."""
    before, after = turn.before.queue, turn.after.queue
    my_bar, their_bar = turn.bar_gain
    my_loss, their_loss = turn.lost

    def queue_value(line: tuple[str, ...]) -> float:
        pairs = zip(QUEUE_VALUE, line, strict=False)
        return sum(weight * points(card) * (1 if turn.is_mine(card) else -0.6) for weight, card in pairs)

    def theirs_among(line: tuple[str, ...], wanted: frozenset[str]) -> int:
        return sum(species(card) in wanted and not turn.is_mine(card) for card in line)

    score = w.mybar * my_bar + w.oppbar * their_bar + w.myout * my_loss + w.oppout * their_loss
    score += w.q * (queue_value(after) - queue_value(before))
    score += w.front * any(map(turn.is_mine, after[:2]))  # once, be it one place or both
    score += w.threat * max(0, theirs_among(before, THREATS) - theirs_among(after, THREATS))

    if turn.target is not None:
        target = before[turn.target]
        if turn.is_mine(target):
            score -= 0.8 * points(target)
        else:
            score += w.parrot * points(target) + 0.5 * (1 - turn.target / len(before))
            score += 1.5 * (species(target) in THREATS) + 1.0 * (species(target) in RECURRING)
    elif turn.played == "U":
        score += w.skunk * (their_loss - my_loss)
    elif turn.played == "M":
        fewer = theirs_among(after, frozenset("HC")) < theirs_among(before, frozenset("HC"))
        score += w.monkey * fewer
        # Reading: the two are independent, so this needs no hippo or crocodile to have left.
        score += 0.8 * w.monkey * (theirs_among(before, frozenset("M")) > 0)

    on_table = len(before) + len(turn.before.bar) + len(turn.before.thatsit)
    if on_table <= 3 and turn.played in RECURRING:
        score += w.early
    elif on_table >= 8 and turn.played in "PUC":
        score += w.late
    return score
