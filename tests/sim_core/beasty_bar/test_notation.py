"""Positions and actions as text: what is read, what is printed, and what every malformed text is told."""

from __future__ import annotations

import random

import pytest
from reference import rules as reference

from sim_core import ACTIONS, Action, State

EMPTY = "- - - -/- -/- 0 0"


def position_text(**fields: str) -> str:
    """An empty position's text with some of its fields replaced."""
    parts = {"queue": "-", "bar": "-", "thatsit": "-", "hand0": "-", "hand1": "-", "deck0": "-", "deck1": "-"}
    parts |= {"to_move": "0", "ply": "0"} | fields
    return "{queue} {bar} {thatsit} {hand0}/{hand1} {deck0}/{deck1} {to_move} {ply}".format(**parts)


def refusal(text: str) -> str:
    """What `State.parse` says about a text that it must not accept."""
    with pytest.raises(ValueError) as error:
        State.parse(text)
    return str(error.value)


# ---------------------------------------------------------------------- positions


@pytest.mark.parametrize(
    "text",
    [
        EMPTY,
        "- - - -/- -/- 1 24",
        "Uh Kp Ml LHCS/gzex GZEX/scmk 0 6",
        "LhCs GXmp - ZE/gz MKPU/- 1 11",
        "- - - LHCS/lhcs GZEXMKPU/gzexmkpu 0 0",
        "- - - LHCS/lhcs UPKMXEZG/upkmxezg 1 0",
        "- - LHCSGZEXMKPUlhcsgzexmkpu -/- -/- 0 24",
        "- LHCSGZEXMKPUlhcsgzexmkpu - -/- -/- 0 24",
    ],
)
def test_position_is_printed_as_it_was_read(text: str) -> None:
    assert str(State.parse(text)) == text


def test_positions_of_random_games_are_printed_as_they_were_read() -> None:
    rng = random.Random(1)
    for game in range(30):
        position = reference.random_deal(rng, first_player=game % 2)
        while not reference.is_terminal(position):
            text = reference.format(position)
            assert str(State.parse(text)) == text
            position = reference.step(position, rng.choice(reference.legal_actions(position)))


def test_sets_are_read_in_any_order_and_printed_in_one() -> None:
    given = "- UlXh mMkK SCHL/xezg PZGE/upcs 0 3"
    assert str(State.parse(given)) == "- XUlh MKmk LHCS/gzex PZGE/upcs 0 3"


def test_queue_and_decks_keep_their_order() -> None:
    text = "pLUh - - -/- KGC/mzc 0 3"
    assert str(State.parse(text)) == text


def test_fields_of_a_read_position() -> None:
    state = State.parse("Uh - - L/- -/- 1 7")
    assert (state.to_move, state.ply) == (1, 7)
    assert State.parse("Uh Kp lM LHCS/gzex GZEX/scmk 0 6").scores() == (4, 4)


def test_a_position_whose_mover_has_no_card_is_over() -> None:
    state = State.parse("Uh - - L/- -/- 1 7")
    assert state.is_terminal
    assert state.legal_actions() == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "- - - -/- -/- 0",
        "- - - -/- -/- 0 0 0",
        "- - - - - -/- 0 0",
        "-  - - -/- -/- 0 0",
        "- - -/- -/- 0 0",
    ],
)
def test_wrong_number_of_fields(text: str) -> None:
    message = refusal(text).lower()
    assert "field" in message
    assert "seven" in message or "7" in message


@pytest.mark.parametrize("field", ["hand", "deck"])
@pytest.mark.parametrize("pair", ["-", "L", "L/h/-", "/", "/h", "L/"])
def test_hands_and_decks_are_two(field: str, pair: str) -> None:
    text = f"- - - {pair} -/- 0 0" if field == "hand" else f"- - - -/- {pair} 0 0"
    assert field in refusal(text).lower()


CARD_FIELDS = ["queue", "bar", "thatsit", "hand0", "hand1", "deck0", "deck1"]


@pytest.mark.parametrize("field", CARD_FIELDS)
@pytest.mark.parametrize("letter", ["Q", "?", "1", "-", "\N{LATIN SMALL LETTER LONG S}", "\N{KELVIN SIGN}"])
def test_unknown_letter(field: str, letter: str) -> None:
    """Fails if an unknown letter is read, also one whose upper or lower case is a card's."""
    message = refusal(position_text(**{field: "L" + letter if field[-1] != "1" else "l" + letter}))
    assert field in message.lower()
    if letter.isascii():
        assert letter in message


@pytest.mark.parametrize(("field", "cards"), [("hand0", "Lh"), ("hand1", "lH"), ("deck0", "Lh"), ("deck1", "lH")])
def test_card_of_the_other_player(field: str, cards: str) -> None:
    message = refusal(position_text(**{field: cards}))
    assert field in message.lower()
    assert cards[1] in message


@pytest.mark.parametrize("field", CARD_FIELDS)
def test_card_twice_in_one_field(field: str) -> None:
    card = "z" if field[-1] == "1" else "Z"
    message = refusal(position_text(**{field: card + card}))
    assert field in message.lower()
    assert card in message


@pytest.mark.parametrize("first", CARD_FIELDS)
@pytest.mark.parametrize("second", CARD_FIELDS)
def test_card_twice_in_two_fields(first: str, second: str) -> None:
    card = "z" if "1" in (first[-1], second[-1]) else "Z"
    wrong_owner = any(field[-1] == ("0" if card == "z" else "1") for field in (first, second))
    if first == second or wrong_owner:
        return  # either the test above, or another fault
    message = refusal(position_text(**{first: card, second: card}))
    assert first in message.lower() or second in message.lower()
    assert card in message


def test_a_zebra_in_line_and_in_the_deck_is_refused() -> None:
    message = refusal("Zh Kp lM LHCS/gzex GZEX/scmk 0 6")
    assert "queue" in message.lower() or "deck0" in message.lower()
    assert "Z" in message


@pytest.mark.parametrize(
    ("field", "cards", "limit"),
    [
        ("queue", "LhCsG", 4),
        ("hand0", "LHCSG", 4),
        ("hand1", "lhcsg", 4),
        ("deck0", "LHCSGZEXM", 8),
        ("deck1", "lhcsgzexm", 8),
    ],
)
def test_too_many_cards(field: str, cards: str, limit: int) -> None:
    assert str(State.parse(position_text(**{field: cards[:-1]}))) == position_text(**{field: cards[:-1]})
    message = refusal(position_text(**{field: cards}))
    assert field in message.lower()
    assert str(limit) in message


@pytest.mark.parametrize("value", ["2", "-1", "x", "L", "-", "0.0", "+1", "10", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_to_move_is_0_or_1(value: str) -> None:
    assert "to_move" in refusal(position_text(to_move=value)).lower()


@pytest.mark.parametrize(
    "value",
    ["25", "-1", "x", "-", "1.5", "+3", "1_0", "99999999999999999999", "\N{ARABIC-INDIC DIGIT THREE}"],
)
def test_ply_is_from_0_to_24(value: str) -> None:
    assert "ply" in refusal(position_text(ply=value)).lower()


# ---------------------------------------------------------------------- actions


def test_the_table_of_actions() -> None:
    assert isinstance(ACTIONS, tuple)
    assert len(ACTIONS) == len(set(ACTIONS))
    assert set(ACTIONS) == set(reference.ALL_ACTIONS)


def test_action_is_printed_as_it_was_read_and_its_id_is_its_place_in_the_table() -> None:
    for place, text in enumerate(ACTIONS):
        action = Action.parse(text)
        assert str(action) == text
        assert action.id == place
        assert action == Action.parse(text)
    assert len({Action.parse(text) for text in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Q",
            "l",
            "k1",
            "x=L",
            "X=l",
            "-",
            "LL",
            "L1",
            " L",
            "L ",
            "K 1",
            "\N{LATIN SMALL LETTER LONG S}",
            "0",
        ),
        *("K0", "K3", "K-1", "K12", "P4", "P-1", "P10", "P\N{ARABIC-INDIC DIGIT ONE}"),
        *("X=", "X=X", "X=K", "X=P", "X=K3", "X=P4", "X=Q", "XL", "X==L", "X=X=L", "L=X"),
    ],
)
def test_text_that_is_no_action(text: str) -> None:
    with pytest.raises(ValueError) as error:
        Action.parse(text)
    if text.isascii():
        assert text in str(error.value)


def test_empty_text_is_no_action() -> None:
    with pytest.raises(ValueError, match=r"(?i)action"):
        Action.parse("")


@pytest.mark.parametrize(
    ("position", "action"),
    [
        ("hp - - GK/l -/- 0 0", "L"),  # in the other player's hand
        ("hp - - GK/- S/- 0 0", "S"),  # in the deck
        ("hp - - GK/- -/- 0 0", "K"),  # it must jump
        ("h - - GK/- -/- 0 0", "K2"),  # over more than wait
        ("- - - GK/- -/- 0 0", "K1"),
        ("hp - - GP/- -/- 0 0", "P2"),  # a place where nobody waits
        ("hp - - GP/- -/- 0 0", "P"),  # it must send somebody away
        ("- - - GP/- -/- 0 0", "P0"),
        ("hp - - X/- -/- 0 0", "X"),  # it must imitate
        ("hp - - X/- -/- 0 0", "X=L"),  # a species that does not wait
        ("hp - - X/- -/- 0 0", "X=P2"),
        ("k - - X/- -/- 0 0", "X=K2"),
        ("x - - X/- -/- 0 0", "X=L"),
        ("hp - - G/x -/- 0 0", "X=H"),
    ],
)
def test_illegal_action_is_refused_with_the_legal_ones(position: str, action: str) -> None:
    state = State.parse(position)
    legal = reference.legal_actions(reference.parse(position))
    assert sorted(map(str, state.legal_actions())) == sorted(legal)
    with pytest.raises(ValueError) as error:
        state.step(Action.parse(action))
    for text in (action, *legal):
        assert text in str(error.value)
    assert str(state) == position


@pytest.mark.parametrize("position", ["hp - - G/- -/- 1 5", "hp - - G/- -/- 0 24"])
def test_no_action_is_legal_when_the_game_is_over(position: str) -> None:
    with pytest.raises(ValueError, match="G"):
        State.parse(position).step(Action.parse("G"))
