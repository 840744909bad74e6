"""A game under way: undo, reasons, and nothing shown to a person that the person cannot know."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.play_tools import game_with

from lit_trainer.play import PERSON, Session, make_thinker
from lit_trainer.play.views import playable
from sim_core import State


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(playable()), st.integers(0, 2**32), st.sampled_from([0, 1, None]), st.integers(1, 24))
def test_undo_restores_what_was_before_the_person_s_move(game: str, seed: int, seat: int | None, turns: int) -> None:
    session = Session.deal(seed, ("a", "b"), seat, game)
    before = []
    for k in range(turns):
        if session.state.is_terminal:
            break
        if seat is None or session.awaits_person:
            before.append((session.view(), session.saved_game()))
        legal = session.state.legal_actions()
        session.play(legal[(seed + k) % len(legal)])
    for view, record in reversed(before):
        session.undo()
        assert (session.view(), session.saved_game()) == (view, record)
    assert not session.can_undo
    with pytest.raises(ValueError, match="undo: "):
        session.undo()


def test_reasons_tell_no_card_until_the_game_is_over() -> None:
    session = game_with(make_thinker("ismcts:60"), 0)
    assert {len({share["card"] for share in turn["thought"]["shares"]}) for turn in session.view()["turns"]} > {1}
    while session.can_undo:
        session.undo()
        for turn in session.view()["turns"]:
            cards = {share["card"] for share in turn["thought"]["shares"]}
            assert turn["player"] == 0 or cards == {turn["card"]}
    open_to_all = game_with(make_thinker("ismcts:60"), None)
    open_to_all.undo()
    assert len(open_to_all.view()["turns"][0]["thought"]["shares"]) >= 4


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    session = Session.deal(5, (PERSON, "b"), 0)
    with pytest.raises(ValueError, match="move: 'L' is not legal here; legal are S E U K"):
        session.parse_move("L")
    with pytest.raises(ValueError, match="turn: 1 given, expected 0 to 0"):
        session.view(1)
    with pytest.raises(
        ValueError, match=r"agent: 'nobody' is neither a known player nor a file; known are random, .* ismcts:N, "
    ):
        make_thinker("nobody")
    with pytest.raises(ValueError, match="simulations: -1 given"):
        make_thinker("random", simulations=-1)
    with pytest.raises(ValueError, match=r"simulations: 1000001 given, expected a whole number from 0 to 1,000,000"):
        make_thinker("random", simulations=1_000_001)
    with pytest.raises(ValueError, match="game: connect_four given, but skunk plays beasty_bar and beasty_bar_animals"):
        make_thinker("skunk").think(State.initial(0, game="connect_four"))
    (tmp_path / "torn.ckpt").write_bytes(b"PK")
    with pytest.raises(ValueError, match="truncated, damaged or no checkpoint"):
        make_thinker(str(tmp_path / "torn.ckpt"))
