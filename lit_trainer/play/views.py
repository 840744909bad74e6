"""Turns positions into plain values that terminal and page draw, limited to what the viewer may see.

Everything that a person sees of a position comes from `position_view`, which leaves out what is hidden from the viewer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sim_core import Action, State
from sim_core.beasty_bar.notation import Fields, parse_fields
from sim_core.beasty_bar.rules import LETTERS, SPECIES

View = dict[str, Any]

ANIMALS = {letter: name for letter, name, _ in SPECIES}
STRENGTHS = {letter: 12 - k for k, letter in enumerate(ANIMALS)}
POINTS = {letter: points for letter, _, points in SPECIES}


class Face(NamedTuple):
    """Says how one game is shown."""

    position: Callable[[State, int | None], View]
    words: Callable[[State, Action, int | None], str]
    """Returns an action in words, for the viewer."""
    outcome: Callable[[State, State], View]
    """Returns what a turn visibly changed, from the positions before and after it."""
    gives_away: Callable[[Action, Action], bool]
    """Returns whether the second action, which was considered, reveals more cards than the first, which was played."""
    cards: str
    """Letters of the cards that beliefs are about, in the order of the game's `hidden_targets`."""


def face_of(game: str) -> Face:
    """Returns how a game is shown. Raises ValueError, which names the games that can be shown."""
    try:
        return _FACES[game]
    except KeyError:
        raise ValueError(f"game: {game!r} cannot be shown; games to play are {', '.join(_FACES)}") from None


def playable() -> tuple[str, ...]:
    """Returns the games that can be shown, and thus played."""
    return tuple(_FACES)


def position_view(state: State, viewer: int | None) -> View:
    """Returns a position as plain values.

    Args:
        state: Position.
        viewer: Player who looks; what this player cannot know is left out and has no influence. None: sees everything.
    """
    over = state.is_terminal
    view: View = {
        "game": state.game,
        "ply": state.ply,
        "to_move": state.to_move,
        "over": over,
        "scores": list(state.scores()),
        "winner": state.winner() if over else None,
        "legal": [],
    }
    if not over and viewer in (None, state.to_move):
        view["legal"] = [action_view(state, action, viewer) for action in state.legal_actions()]
    return view | face_of(state.game).position(state, viewer)


def action_view(state: State, action: Action, viewer: int | None) -> View:
    """Returns an action as plain values: its text, the card that it plays, and its effect in words."""
    text = str(action)
    return {"action": text, "card": text[0], "words": face_of(state.game).words(state, action, viewer)}


def believed_cards(cards: str, hand: Sequence[float]) -> list[View]:
    """Returns the cards that a hand may hold as plain values, the likeliest first.

    Args:
        cards: Letters of the cards.
        hand: Probability of each card to be in the hand.
    """
    likeliest = sorted(zip(cards, hand, strict=True), key=lambda pair: -pair[1])
    return [{"card": letter, "share": round(share, 4)} for letter, share in likeliest if share > 0.0]


def _owned(letter: str, viewer: int | None) -> str:
    """Returns the name of an animal in the line, with its owner."""
    owner = int(letter.islower())
    whose = f"player {owner}'s" if viewer is None else "your" if owner == viewer else "the opponent's"
    return f"{whose} {ANIMALS[letter.upper()]}"


def _by_player(letters: str) -> list[list[str]]:
    return [[k for k in letters if k in LETTERS], [k.upper() for k in letters if k not in LETTERS]]


def _in_order(letters: str) -> list[str]:
    return sorted(letters.upper(), key=LETTERS.index)


def _beasty_position(state: State, viewer: int | None) -> View:
    fields = parse_fields(str(state))
    unplayed = [_in_order(hand + deck) for hand, deck in zip(fields.hands, fields.decks, strict=True)]
    return {
        "kind": "beasty_bar",
        "line": [{"animal": letter.upper(), "player": int(letter.islower())} for letter in fields.queue],
        "bar": _by_player(fields.bar),
        "thatsit": _by_player(fields.thatsit),
        "hands": [_in_order(hand) if viewer in (None, k) else None for k, hand in enumerate(fields.hands)],
        "hand_sizes": [len(hand) for hand in fields.hands],
        "deck_sizes": [len(deck) for deck in fields.decks],
        "unplayed": unplayed,
    }


def _choice_words(line: str, animal: str, choice: str, viewer: int | None) -> str:
    if animal == "K" and choice:
        return f"over {choice} animal{'s' * (choice != '1')}"
    if animal == "P" and choice:
        return f"throws out {_owned(line[int(choice)], viewer)} at place {choice}"
    return ""


def _beasty_words(state: State, action: Action, viewer: int | None) -> str:
    line = parse_fields(str(state)).queue
    card, _, imitated = str(action).partition("=")
    parts = [ANIMALS[card[0]]]
    if imitated:
        parts = [f"chameleon as {ANIMALS[imitated[0]]}", _choice_words(line, imitated[0], imitated[1:], viewer)]
    elif card[1:]:
        parts.append(_choice_words(line, card[0], card[1:], viewer))
    return ", ".join(part for part in parts if part)


def _arrived(before: Fields, after: Fields, pile: str) -> list[View]:
    new = Counter(getattr(after, pile)) - Counter(getattr(before, pile))
    return [{"animal": letter.upper(), "player": int(letter.islower())} for letter in new]


def _beasty_outcome(before: State, after: State) -> View:
    fields = parse_fields(str(before)), parse_fields(str(after))
    return {"bar": _arrived(*fields, "bar"), "thatsit": _arrived(*fields, "thatsit")}


def _four_position(state: State, viewer: int | None) -> View:
    rows = []
    for row in str(state).split(" ")[0].split("/"):
        cells = [[None] * int(k) if k.isdigit() else [int(k == "O")] for k in row]
        rows.append([cell for group in cells for cell in group])
    return {"kind": "connect_four", "rows": rows}


def _four_words(state: State, action: Action, viewer: int | None) -> str:
    return f"column {action}"


def _other_card(played: Action, other: Action) -> bool:
    return str(played)[0] != str(other)[0]


_BEASTY = Face(_beasty_position, _beasty_words, _beasty_outcome, _other_card, LETTERS)
_FACES = {
    "beasty_bar": _BEASTY,
    "beasty_bar_animals": _BEASTY,
    "connect_four": Face(_four_position, _four_words, lambda before, after: {}, lambda played, other: False, ""),
}
