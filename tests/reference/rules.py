"""Plays by the rules of the two-player game in plain Python: slow, short, and the judge of the compiled engine.

It was written from the rules alone, with nothing but the standard library. An error in the engine goes unseen
only if it was made here a second time. Clarity goes before speed everywhere. `docs/rules.md` says the same in
prose, and `docs/notation.md` describes the text of positions and actions.

A card is a letter: upper case belongs to player 0, lower case to player 1. A species is the upper-case
letter.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SPECIES = "LHCSGZEXMKPU"  # also the order in which sets of cards are printed
STRENGTH = {"L": 12, "H": 11, "C": 10, "S": 9, "G": 8, "Z": 7, "E": 6, "X": 5, "M": 4, "K": 3, "P": 2, "U": 1}
POINTS = {"L": 2, "H": 2, "C": 3, "S": 2, "G": 3, "Z": 4, "E": 2, "X": 3, "M": 3, "K": 4, "P": 4, "U": 4}
CARDS = tuple(SPECIES + SPECIES.lower())
RECURRING = frozenset("HCG")

MAX_QUEUE = 4  # animals that wait when a turn begins
MAX_HAND = 4
MAX_DECK = 8
LAST_PLY = 24  # one turn for each card

# What each species may choose when it is played or imitated; "" is the play without a choice.
_CHOICES = {"K": ("", "1", "2"), "P": ("", "0", "1", "2", "3")}
_PLAIN = tuple(s + choice for s in SPECIES for choice in _CHOICES.get(s, ("",)))
ALL_ACTIONS = _PLAIN + tuple("X=" + text for text in _PLAIN if text not in ("X", "K", "P"))
"""Texts of all actions: 18 of a card as itself, 15 of a chameleon that imitates."""


@dataclass(frozen=True)
class Position:
    """Holds a position between two turns. Sets of cards are tuples in the printed order.

    Attributes:
        queue: The line from Heaven's Gate to the bounce.
        bar: Cards of both players in the bar.
        thatsit: Cards of both players on the THAT'S IT pile.
        hands: Hand of player 0 and of player 1.
        decks: Deck of player 0 and of player 1, the card drawn next first.
        to_move: The player whose turn it is.
        ply: Turns already taken.
    """

    queue: tuple[str, ...]
    bar: tuple[str, ...]
    thatsit: tuple[str, ...]
    hands: tuple[tuple[str, ...], tuple[str, ...]]
    decks: tuple[tuple[str, ...], tuple[str, ...]]
    to_move: int
    ply: int


# ---------------------------------------------------------------------- cards


def species(card: str) -> str:
    return card.upper()


def owner(card: str) -> int:
    return 0 if card.isupper() else 1


def strength(card: str) -> int:
    return STRENGTH[species(card)]


def points(card: str) -> int:
    return POINTS[species(card)]


def sort_set(cards: Iterable[str]) -> tuple[str, ...]:
    """Returns the cards in the order in which a set is printed: player 0's first, each by `SPECIES`."""
    return tuple(sorted(cards, key=CARDS.index))


def random_deal(rng: random.Random, first_player: int = 0) -> Position:
    """Returns a game's first position: both players' twelve animals shuffled, four in hand, eight in the deck."""
    stacks = [rng.sample(cards, len(SPECIES)) for cards in (SPECIES, SPECIES.lower())]
    hands = [sort_set(stack[:MAX_HAND]) for stack in stacks]
    decks = [tuple(stack[MAX_HAND:]) for stack in stacks]
    return Position((), (), (), (hands[0], hands[1]), (decks[0], decks[1]), first_player, 0)


# ---------------------------------------------------------------------- notation


def parse(text: str) -> Position:
    """Reads `QUEUE BAR THATSIT HAND0/HAND1 DECK0/DECK1 TO_MOVE PLY`.

    Raises:
        ValueError: The text is not a position. The message names the field and what is wrong with it.
    """
    fields = text.split(" ")
    if len(fields) != 7:
        raise ValueError(f"a position has seven fields, one space apart, got {len(fields)}: {text!r}")
    queue_text, bar_text, thatsit_text, hands_text, decks_text, to_move_text, ply_text = fields

    zones = {"queue": queue_text, "bar": bar_text, "thatsit": thatsit_text}
    for name, pair in (("hand", hands_text), ("deck", decks_text)):
        halves = pair.split("/")
        if len(halves) != 2:
            raise ValueError(f"{name}0 and {name}1 are written with one '/' between them, got {pair!r}")
        zones[name + "0"], zones[name + "1"] = halves

    limits = {"queue": MAX_QUEUE, "hand0": MAX_HAND, "hand1": MAX_HAND, "deck0": MAX_DECK, "deck1": MAX_DECK}
    cards: dict[str, tuple[str, ...]] = {}
    place_of: dict[str, str] = {}
    for name, zone in zones.items():
        if not zone:
            raise ValueError(f"{name}: nothing stands there; an empty field is written '-'")
        cards[name] = () if zone == "-" else tuple(zone)
        for card in cards[name]:
            if card not in CARDS:
                raise ValueError(f"{name}: unknown card {card!r}")
            if name[-1] in "01" and owner(card) != int(name[-1]):
                raise ValueError(f"{name}: card {card!r} belongs to the other player")
            if card in place_of:
                raise ValueError(f"{name}: card {card!r} stands twice, first in {place_of[card]}")
            place_of[card] = name
        if len(cards[name]) > limits.get(name, len(CARDS)):
            raise ValueError(f"{name}: at most {limits[name]} cards, got {len(cards[name])}")

    numbers = {"to_move": (to_move_text, 1), "ply": (ply_text, LAST_PLY)}
    values = {}
    for name, (number_text, largest) in numbers.items():
        if not (number_text.isascii() and number_text.isdigit() and int(number_text) <= largest):
            raise ValueError(f"{name}: a whole number from 0 to {largest} is wanted, got {number_text!r}")
        values[name] = int(number_text)

    return Position(
        queue=cards["queue"],
        bar=sort_set(cards["bar"]),
        thatsit=sort_set(cards["thatsit"]),
        hands=(sort_set(cards["hand0"]), sort_set(cards["hand1"])),
        decks=(cards["deck0"], cards["deck1"]),
        to_move=values["to_move"],
        ply=values["ply"],
    )


def format(position: Position) -> str:
    """Returns the text of a position, the inverse of `parse`."""

    def field(cards: Sequence[str]) -> str:
        return "".join(cards) or "-"

    hands = "/".join(field(sort_set(hand)) for hand in position.hands)
    decks = "/".join(field(deck) for deck in position.decks)
    sets = f"{field(sort_set(position.bar))} {field(sort_set(position.thatsit))}"
    return f"{field(position.queue)} {sets} {hands} {decks} {position.to_move} {position.ply}"


def split_action(text: str) -> tuple[str, str, str]:
    """Returns the species of the card played, the species it acts as, and its choice.

    A chameleon that imitates nobody acts as "", and an action without a choice has the choice "".

    Raises:
        ValueError: The text is not an action.
    """
    if text not in ALL_ACTIONS:
        raise ValueError(f"not an action: {text!r}")
    if text == "X":
        return "X", "", ""
    if text.startswith("X="):
        return "X", text[2], text[3:]
    return text[0], text[0], text[1:]


# ---------------------------------------------------------------------- actions


def is_terminal(position: Position) -> bool:
    """Returns whether the game is over: all 24 turns are taken, or the player to move has no card."""
    return position.ply >= LAST_PLY or not position.hands[position.to_move]


def legal_actions(position: Position) -> list[str]:
    """Returns the texts of all actions of the player to move, none when the game is over."""
    if is_terminal(position):
        return []
    waiting = len(position.queue)
    actions = []
    for card in position.hands[position.to_move]:
        if species(card) == "X":
            imitable = sort_set({species(other) for other in position.queue} - {"X"})
            actions += ["X=" + text for model in imitable for text in _plays_of(model, waiting)] or ["X"]
        else:
            actions += _plays_of(species(card), waiting)
    return actions


def _plays_of(acting_as: str, waiting: int) -> list[str]:
    """Returns the texts of one species' plays onto a line of `waiting` animals. It must choose where it can."""
    if acting_as == "K":
        choices = range(1, min(waiting, 2) + 1)
    elif acting_as == "P":
        choices = range(waiting)
    else:
        choices = range(0)
    return [f"{acting_as}{choice}" for choice in choices] or [acting_as]


# ---------------------------------------------------------------------- a turn


def step(position: Position, action: str) -> Position:
    """Returns the position after the player to move has taken a whole turn.

    Raises:
        ValueError: The action is not legal here.
    """
    if action not in legal_actions(position):
        raise ValueError(f"{action!r} is not legal; legal are {legal_actions(position)}")
    me = position.to_move
    played = split_action(action)[0]
    card = played if me == 0 else played.lower()

    line, entered, gone = play_turn(position.queue, card, action)

    hand = [other for other in position.hands[me] if other != card]
    drawn, deck = position.decks[me][:1], position.decks[me][1:]  # phase 5
    hands, decks = list(position.hands), list(position.decks)
    hands[me], decks[me] = sort_set([*hand, *drawn]), deck
    return Position(
        queue=tuple(line),
        bar=sort_set([*position.bar, *entered]),
        thatsit=sort_set([*position.thatsit, *gone]),
        hands=(hands[0], hands[1]),
        decks=(decks[0], decks[1]),
        to_move=1 - me,
        ply=position.ply + 1,
    )


def play_turn(queue: Sequence[str], card: str, action: str) -> tuple[list[str], list[str], list[str]]:
    """Plays phases 1 to 4 of a turn, which concern only the line.

    Returns:
        The line after the turn, the cards that entered the bar, the cards that went to THAT'S IT.
    """
    _, acting_as, choice = split_action(action)
    line = [*queue, card]  # phase 1
    line, gone = act(line, acting_as, choice)  # phase 2

    # Phase 3. The order is fixed when the phase begins; every card is the only one of its letter.
    resting = card if species(card) == "G" else None
    order = [other for other in line if species(other) in RECURRING and other != resting]
    for other in order:
        if other in line:
            line, eaten = recur(line, line.index(other), species(other))
            gone = gone + eaten

    if len(line) == 5:  # phase 4
        return line[2:4], line[:2], [*gone, line[4]]
    return line, [], gone


def act(line: list[str], acting_as: str, choice: str) -> tuple[list[str], list[str]]:
    """Plays phase 2: the last animal of the line acts as its own species, or as the one that a chameleon imitates.

    Returns:
        The line afterwards and the cards that went to THAT'S IT.
    """
    waiting, me = line[:-1], line[-1]

    def send_away(species_sent: Iterable[str]) -> tuple[list[str], list[str]]:
        """Returns those of `waiting` that stay, and those that go."""
        stay = [card for card in waiting if species(card) not in species_sent]
        return stay, [card for card in waiting if species(card) in species_sent]

    match acting_as:
        case "L":
            if any(species(card) == "L" for card in waiting):
                return waiting, [me]
            stay, gone = send_away("M")
            return [me, *stay], gone
        case "H" | "C" | "G":
            return recur(line, len(line) - 1, acting_as)
        case "S":
            # A chameleon sorts itself in as a snake. sorted() is stable, so equals keep their order.
            def rank(card: str) -> int:
                return STRENGTH["S"] if card == me else strength(card)

            return sorted(line, key=rank, reverse=True), []
        case "E":
            return line[::-1], []
        case "M":
            others = [card for card in waiting if species(card) == "M"]
            if not others:
                return line, []
            stay, gone = send_away("HC")
            rest = [card for card in stay if species(card) != "M"]
            return [me, *reversed(others), *rest], gone
        case "K" if choice:
            place = len(waiting) - int(choice)
            return [*waiting[:place], me, *waiting[place:]], []
        case "P" if choice:
            place = int(choice)
            return [*waiting[:place], *waiting[place + 1 :], me], [waiting[place]]
        case "U":
            # A chameleon already in line is a species like any other; the one that acts is not in `waiting`.
            present = {species(card) for card in waiting} - {"U"}
            strongest = sorted(present, key=STRENGTH.__getitem__, reverse=True)[:2]
            stay, gone = send_away(strongest)
            return [*stay, me], gone
        case _:  # zebra, a chameleon with nobody to imitate, a kangaroo or parrot onto an empty line
            return line, []


def recur(line: list[str], place: int, acting_as: str) -> tuple[list[str], list[str]]:
    """Plays the action of a hippo, crocodile or giraffe that stands at `place`, in phase 2 or phase 3.

    Returns:
        The line afterwards and the cards that went to THAT'S IT.
    """
    ahead, me, behind = line[:place], line[place], line[place + 1 :]

    def weaker(card: str) -> bool:
        return strength(card) < STRENGTH[acting_as]

    passed: list[str] = []
    if acting_as == "G":
        if ahead and weaker(ahead[-1]):
            passed = [ahead.pop()]
        return [*ahead, me, *passed, *behind], []

    while ahead and weaker(ahead[-1]) and species(ahead[-1]) != "Z":
        passed.insert(0, ahead.pop())
    if acting_as == "H":
        return [*ahead, me, *passed, *behind], []
    return [*ahead, me, *behind], passed  # a crocodile has eaten what a hippo would have passed


# ---------------------------------------------------------------------- the end


def scores(position: Position, scoring: str = "points") -> tuple[int, int]:
    """Returns the points ("points") or the number of animals ("animals") that each player has in the bar.

    Raises:
        ValueError: The scoring is neither.
    """
    if scoring not in ("points", "animals"):
        raise ValueError(f"scoring is 'points' or 'animals', got {scoring!r}")
    worth = points if scoring == "points" else (lambda card: 1)
    first, second = (sum(worth(card) for card in position.bar if owner(card) == player) for player in (0, 1))
    return first, second


def winner(position: Position, scoring: str = "points") -> int | None:
    """Returns the player who is ahead in the bar, None for a draw. At the end of the game that is the winner."""
    mine, theirs = scores(position, scoring)
    if mine == theirs and scoring == "animals":
        sums = [sum(strength(card) for card in position.bar if owner(card) == player) for player in (0, 1)]
        theirs, mine = sums  # exchanged, because the lower sum wins
    if mine == theirs:
        return None
    return 0 if mine > theirs else 1


def minimax_endgame(position: Position, scoring: str = "points") -> int:
    """Returns the value of perfect play for the player to move, by plain negamax: 1 a win, 0 a draw, -1 a loss.

    Raises:
        ValueError: A deck still holds a card, so the rest of the game is not known.
    """
    if any(position.decks):
        raise ValueError("the endgame is known only when both decks are empty")
    if is_terminal(position):
        best = winner(position, scoring)
        return 0 if best is None else 1 if best == position.to_move else -1
    return max(-minimax_endgame(step(position, action), scoring) for action in legal_actions(position))
