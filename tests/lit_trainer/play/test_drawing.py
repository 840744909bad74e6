"""Views as text for a terminal: everything that a person needs is there without colours, and nothing hidden is."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from lit_trainer.play import PERSON, SavedGame, Session
from lit_trainer.play.drawing import draw_moves, draw_position, hand_text, percent, thought_text, turn_text, whose
from sim_core import State


def printed(drawn: Any) -> str:
    """Returns the text in a terminal without colours, with single spaces."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_a_position_shows_line_piles_and_hands_but_no_hidden_card() -> None:
    session = Session(SavedGame(State.parse("hKx G l SP/mu E/z 0 6"), (PERSON, "agent")), 0)
    text = printed(draw_position(session.view()))
    assert "The line, from the gate to the bounce" in text and "place 0" in text and "place 2" in text
    assert "hippo" in text and "kangaroo" in text and "chameleon" in text
    assert "2 hidden" in text and "snake, parrot" in text
    assert "monkey" not in text and "zebra" not in text
    assert "The line is empty" in printed(draw_position(Session.deal(1, ("a", "b")).view()))


def test_moves_have_numbers_where_the_notation_has_none() -> None:
    view = Session.deal(3, (PERSON, "agent"), 0).view()
    moves = view["position"]["legal"]
    assert moves and all(f"{k} {move['action']}" in printed(draw_moves(view, True)) for k, move in enumerate(moves, 1))
    four = Session.deal(3, (PERSON, "agent"), 0, "connect_four")
    assert printed(draw_moves(four.view(), False)).startswith("Your moves: 1 column 1 2 column 2")
    four.play(four.parse_move("4"))
    assert ". . . X . . . 1 2 3 4 5 6 7" in printed(draw_position(four.view()))


def test_a_turn_says_who_did_what_and_where_cards_went() -> None:
    session = Session(SavedGame(State.parse("hKx - - SP/mu G/l 0 3"), (PERSON, "agent")), 0)
    session.play(session.parse_move("P1"))
    view = session.view()
    assert printed(turn_text(view["turns"][0], view)) == (
        "you: parrot, throws out your kangaroo at place 1 (P1); kangaroo (you) to THAT'S IT"
    )
    assert [whose(player, view) for player in (0, 1)] == ["you", "agent"]
    assert whose(1, view | {"seat": None}) == "player 1"


def test_reasons_are_said_or_said_to_be_missing() -> None:
    thought = {"win_chance": 0.625, "shares": [{"action": "L", "share": 0.75}, {"action": "K", "share": 0.25}]}
    assert thought_text(thought, "its").plain.strip() == "its win chance 62 %; considered L 75 %, K 25 %"
    assert thought_text({"win_chance": None, "shares": []}, "its").plain.strip() == "it gives no reasons"
    assert percent(None) == "?"


def test_what_an_agent_concludes_is_said_in_words() -> None:
    thought = {"win_chance": 0.625, "shares": [], "opponent": "takes you for: skunk 71 %, others 29 %"}
    assert thought_text(thought, "its").plain.strip() == "its win chance 62 %; takes you for: skunk 71 %, others 29 %"
    cards = [{"card": "U", "share": 1.0}, {"card": "L", "share": 0.125}]
    said = hand_text({"hand": {"whose": "your", "cards": cards}}).plain
    assert said.strip() == "believes of your hand: skunk (U) 100 %, lion (L) 12 %"
