"""A game as text: what was written is read back, and everything else is refused by line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_trainer.play import SavedGame
from lit_trainer.play.views import playable
from sim_core import Action, State

GAME = """lit-alphazero game 1
game: beasty_bar
player 0: person
player 1: iter150, 64 simulations
deal: seed 5
1: S
2: U
"""


def played(game: str, seed: int, turns: int, choices: list[int]) -> SavedGame:
    """Returns a game of that many arbitrary legal moves, or fewer if it ends before."""
    state, moves = State.initial(seed, game=game), []
    while len(moves) < turns and not state.is_terminal:
        legal = state.legal_actions()
        moves.append(legal[choices[len(moves) % len(choices)] % len(legal)])
        state = state.step(moves[-1])
    return SavedGame(State.initial(seed, game=game), ("person", "an agent: of mine"), tuple(moves), seed)


games = st.builds(
    played,
    st.sampled_from(playable()),
    st.integers(0, 2**64 - 1),
    st.integers(0, 42),
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
)


@settings(max_examples=60, deadline=None)
@given(games, st.booleans())
def test_text_is_read_back_and_replays_to_the_same_position(record: SavedGame, seeded: bool) -> None:
    if not seeded:
        record = SavedGame(record.start, record.players, record.moves)
    again = SavedGame.parse(record.text())
    assert again == record
    assert again.states() == record.states()
    assert again.text() == record.text()


@settings(max_examples=100, deadline=None)
@given(games, st.data())
def test_any_damage_is_refused_by_line_or_gives_a_legal_game(record: SavedGame, data: st.DataObject) -> None:
    """Fails if a changed, lost or added character raises anything but a ValueError that names the line."""
    text = record.text()
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 2)) :]
    try:
        read = SavedGame.parse(damaged)
    except ValueError as error:
        assert str(error).startswith("line "), error
    else:
        assert len(read.states()) == len(read.moves) + 1


def test_blank_lines_and_comments_say_nothing() -> None:
    record = SavedGame.parse(GAME)
    assert SavedGame.parse("\ufeff# mine\n\n" + GAME.replace("1: S", "  1:  S  \n# a comment")) == record
    assert record.moves == (Action.parse("S"), Action.parse("U"))
    assert record.start == State.initial(5)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("game 1", "game 2", "line 1: 'lit-alphazero game 2' given, expected 'lit-alphazero game 1'"),
        ("beasty_bar", "chess", "line 2: game: 'chess' is not known"),
        ("player 0: person", "player 1: person", "line 3: 'player 1' given, expected 'player 0'"),
        ("player 0: person", "player 0:", "line 3: 'player 0:' given, expected 'player 0: ...'"),
        ("person", "p" * 101, "line 3: player 0: "),
        ("seed 5", "seed 5x", "line 5: deal: 'seed 5x' given"),
        ("seed 5", "seed 99999999999999999999", "line 5: seed: 99999999999999999999 given"),
        ("seed 5", "- - - LL/- -/- 0 0", "line 5: hand0: the card 'L'"),
        ("1: S", "1: W", "line 6: action: 'W' is not an action"),
        ("1: S", "1: L", "line 6: action: L (id 0) is not legal here; legal are S E U K"),
        ("1: S", "2: S", "line 6: '2' given, expected move 1, or 'end'"),
        ("2: U", "end: 0 to 0, a draw", "line 7: end: given, but the game is not over after 1 turns"),
        ("2: U", "2 U", "line 7: '2 U' given, expected 'NUMBER: MOVE'"),
        ("deal: seed 5\n1: S\n2: U\n", "", "line 5: the text ends, expected 'deal: ...'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        SavedGame.parse(GAME.replace(old, new, 1))
    assert str(refused.value).startswith(says)


def test_the_end_must_agree_with_the_moves() -> None:
    whole = played("beasty_bar", 7, 24, [0]).text()
    assert "end: " in whole
    with pytest.raises(ValueError, match=r"^line 30: end: .* but the moves lead to "):
        SavedGame.parse(whole.replace("end: ", "end: 1"))
    with pytest.raises(ValueError, match=r"^line 30: move 25: 'L' given, but the game is over"):
        SavedGame.parse(whole.replace("end: ", "25: L\nend: "))
    with pytest.raises(ValueError, match=r"^line 31: '25: L' given after the end"):
        SavedGame.parse(whole + "25: L")
    with pytest.raises(ValueError, match="70,000 characters given"):
        SavedGame.parse("#" * 70_000)
