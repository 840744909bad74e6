"""Views: nothing shown to a person that the person cannot know, and words for moves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.play_tools import random_state

from lit_trainer.play import PERSON, SavedGame, Session
from lit_trainer.play.views import ANIMALS, believed_cards, face_of, playable, position_view
from sim_core import State, get_game
from sim_core.beasty_bar.notation import parse_fields


def seen_by(state: State, player: int) -> State:
    """Returns the position with a player to move, so that `determinize` keeps what that player sees."""
    *fields, _, ply = str(state).split(" ")
    return State.parse(" ".join([*fields, str(player), ply]), game=state.game)


beasty = st.builds(
    random_state, st.sampled_from(["beasty_bar", "beasty_bar_animals"]), st.integers(0, 2**32), st.integers(0, 23)
)


@settings(max_examples=150, deadline=None)
@given(beasty, st.integers(0, 1), st.integers(0, 2**32))
def test_a_person_s_view_is_the_same_whatever_the_hidden_cards_are(state: State, seat: int, seed: int) -> None:
    """Fails if the opponent's hand, a deck's order, or anything derived from them reaches the page."""
    dealt_anew = seen_by(seen_by(state, seat).determinize(seed), state.to_move)
    names = (PERSON, "agent") if seat == 0 else ("agent", PERSON)
    views = [json.dumps(Session(SavedGame(each, names), seat).view()) for each in (state, dealt_anew)]
    assert views[0] == views[1]
    if state.ply < 16:
        assert position_view(state, seat)["hands"][1 - seat] is None
        assert position_view(state, None)["hands"][1 - seat] is not None


def test_that_test_would_notice_an_open_hand() -> None:
    state = State.initial(1)
    assert json.dumps(position_view(state, None)) != json.dumps(position_view(state.determinize(1), None))


def test_words_name_what_a_move_does_and_its_outcome_where_cards_went() -> None:
    session = Session(SavedGame(State.parse("hKx - - SP/mu G/l 0 3"), (PERSON, "agent")), 0)
    words = {move["action"]: move["words"] for move in session.view()["position"]["legal"]}
    assert words["P0"] == "parrot, throws out the opponent's hippo at place 0"
    assert words["P1"] == "parrot, throws out your kangaroo at place 1"
    session.play(session.parse_move("p1"))
    assert session.view()["turns"][0]["thatsit"] == [{"animal": "K", "player": 0}]
    jumps = Session(SavedGame(State.parse("Mlku - - X/s -/- 0 22"), ("a", "b")))
    words = {move["action"]: move["words"] for move in jumps.view()["position"]["legal"]}
    assert words["X=K2"] == "chameleon as kangaroo, over 2 animals"
    jumps.play(jumps.parse_move("X=K2"))
    outcome = jumps.view()["turns"][0]
    assert outcome["bar"] == [{"animal": "M", "player": 0}, {"animal": "L", "player": 1}]
    assert outcome["thatsit"] == [{"animal": "U", "player": 1}]


@pytest.mark.parametrize("game", playable())
def test_cards_that_beliefs_are_about_have_their_letters(game: str) -> None:
    """Fails if the letters have another order than the game's questions about the other player's hand."""
    rules, cards = get_game(game), face_of(game).cards
    assert len(cards) == rules.hidden_size
    for seed in range(10 if cards else 0):
        state = random_state(game, seed, seed)
        held = parse_fields(str(state)).hands[1 - state.to_move].upper()
        answers = rules.hidden_targets(state.data)
        assert sorted(cards[k] for k in (answers == 1).nonzero()[0]) == sorted(held)
    assert set(cards) <= set(ANIMALS)


def test_believed_cards_come_with_the_likeliest_first_and_without_the_impossible() -> None:
    believed = believed_cards("LHCS", (0.25, 0.0, 1.0, 0.75))
    assert believed == [{"card": "C", "share": 1.0}, {"card": "S", "share": 0.75}, {"card": "L", "share": 0.25}]
