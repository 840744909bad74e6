"""Parses, checks and prints a Beasty Bar position as seven fields of text (docs/notation.md)."""

from __future__ import annotations

from typing import NamedTuple

from sim_core.beasty_bar.rules import LETTERS

MAX_QUEUE, MAX_HAND, MAX_DECK, MAX_PLY = 4, 4, 8, 24
_CARDS = LETTERS + LETTERS.lower()


class Fields(NamedTuple):
    """Holds the seven fields of a position. Cards are letters: upper case for player 0, lower case for player 1."""

    queue: str
    bar: str
    thatsit: str
    hands: tuple[str, str]
    decks: tuple[str, str]
    to_move: int
    ply: int


def _cards(field: str, text: str, at_most: int, owner: int | None = None) -> str:
    """Returns the letters of one field, checked. '-' stands for no card."""
    if text == "-":
        return ""
    if not text:
        raise ValueError(f"{field}: empty; write '-' where there is no card")
    allowed = _CARDS if owner is None else (LETTERS, LETTERS.lower())[owner]
    for letter in text:
        if letter not in allowed:
            whose = "" if owner is None else f" of player {owner}"
            raise ValueError(f"{field}: {letter!r} in {text[:50]!r} is not a card{whose}; cards{whose} are {allowed}")
    if len(text) > at_most:
        raise ValueError(f"{field}: {text[:50]!r} has {len(text)} cards, at most {at_most} fit")
    return text


def _pair(field: str, text: str, at_most: int) -> tuple[str, str]:
    parts = text.split("/")
    if len(parts) != 2:
        raise ValueError(f"{field}0/{field}1: {text[:50]!r} given, expected player 0's cards, '/', player 1's cards")
    return (_cards(f"{field}0", parts[0], at_most, 0), _cards(f"{field}1", parts[1], at_most, 1))


def _number(field: str, text: str, highest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= highest):
        raise ValueError(f"{field}: {text[:50]!r} given, expected a number from 0 to {highest}")
    return int(text)


def parse_fields(text: str) -> Fields:
    """Parses ``QUEUE BAR THATSIT HAND0/HAND1 DECK0/DECK1 TO_MOVE PLY``.

    Raises:
        ValueError: Names the field and what is wrong with it.
    """
    if not isinstance(text, str):
        raise ValueError(f"position: {type(text).__name__} given, expected text")
    parts = text.split(" ")
    if len(parts) != 7:
        raise ValueError(
            f"position: {len(parts)} fields in {text[:200]!r}, expected 7, one space apart: "
            "QUEUE BAR THATSIT HAND0/HAND1 DECK0/DECK1 TO_MOVE PLY"
        )
    fields = Fields(
        queue=_cards("queue", parts[0], MAX_QUEUE),
        bar=_cards("bar", parts[1], len(_CARDS)),
        thatsit=_cards("thatsit", parts[2], len(_CARDS)),
        hands=_pair("hand", parts[3], MAX_HAND),
        decks=_pair("deck", parts[4], MAX_DECK),
        to_move=_number("to_move", parts[5], 1),
        ply=_number("ply", parts[6], MAX_PLY),
    )
    seen: dict[str, str] = {}
    places = ("queue", "bar", "thatsit", "hand0", "hand1", "deck0", "deck1")
    groups = (fields.queue, fields.bar, fields.thatsit, *fields.hands, *fields.decks)
    for place, letters in zip(places, groups, strict=True):
        for letter in letters:
            if letter in seen:
                raise ValueError(f"{place}: the card {letter!r} is also in {seen[letter]}; each card exists once")
            seen[letter] = place
    return fields


def format_fields(fields: Fields) -> str:
    """Returns the canonical text of a position."""
    hands, decks = ("/".join(part or "-" for part in pair) for pair in (fields.hands, fields.decks))
    line = (fields.queue or "-", fields.bar or "-", fields.thatsit or "-")
    return " ".join((*line, hands, decks, str(fields.to_move), str(fields.ply)))
