"""The golden games of tests/playthroughs, played again and judged by the plain-Python reference."""

from __future__ import annotations

import re

import pytest
from reference import rules as reference
from support.make_playthroughs import FOLDER, GAMES, play

from sim_core import ACTIONS, SPECIES

TURN = re.compile(
    r"^(\S.*)\n  legal: (.*)\n  player ([01]) \(\w+\): (\S+)\n  points (\d+) : (\d+), animals (\d+) : (\d+)$", re.M
)


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.txt").read_text()


def test_no_game_is_missing_or_superfluous() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.txt" for name in GAMES}
    assert len(GAMES) == 8


@pytest.mark.parametrize("name", GAMES)
def test_the_game_is_played_as_it_is_written(name: str) -> None:
    assert play(name) == text_of(name), "regenerate with python -m tests.make_playthroughs, if the change is meant"


@pytest.mark.parametrize("name", GAMES)
def test_the_reference_agrees_with_every_line(name: str) -> None:
    """Fails if the files hold what the engine did, but not what the rules say."""
    text = text_of(name)
    turns = TURN.findall(text)
    assert len(turns) == 24 and [int(turn[2]) for turn in turns[::2]] == [GAMES[name][1]] * 12
    position = reference.parse(turns[0][0])
    for before, legal, player, action, *scores in turns:
        assert reference.format(position) == before
        assert sorted(legal.split()) == sorted(reference.legal_actions(position))
        assert int(player) == position.to_move
        position = reference.step(position, action)
        expected = (*reference.scores(position, "points"), *reference.scores(position, "animals"))
        assert tuple(map(int, scores)) == expected
    assert reference.is_terminal(position) and f"\n\n{reference.format(position)}\n  legal: none" in text
    for scoring in ("points", "animals"):
        winner = reference.winner(position, scoring)
        result = "draw" if winner is None else f"player {winner} wins"
        assert "\n  by {}: {} : {}, {}\n".format(scoring, *reference.scores(position, scoring), result) in text


def test_together_they_show_every_action_of_every_animal() -> None:
    played = {turn[3] for name in GAMES for turn in TURN.findall(text_of(name))}
    assert played == set(ACTIONS)
    assert {action[0] for action in played} == {letter for letter, _, _ in SPECIES}


def test_either_player_begins_and_wins() -> None:
    texts = [text_of(name) for name in GAMES]
    assert {GAMES[name][1] for name in GAMES} == {0, 1}
    assert any("player 0 wins" in text for text in texts) and any("player 1 wins" in text for text in texts)
