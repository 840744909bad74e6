"""Writes a game as text and reads it: players, deal and moves in notation. The rules check every move that is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from sim_core import Action, State, games

MAGIC = "lit-alphazero game 1"
PERSON = "person"
LONGEST = 65_536  # characters; a game has less than a thousand
LONGEST_DEAL = 100  # characters; a position has about 60
SHOWN = 40  # characters of a wrong value that an error repeats
_HEAD = ("game", "player 0", "player 1", "deal")


def shown(value: object) -> str:
    """Returns a wrong value as an error shows it: its beginning in quotes, or the type of a list or dict.

    >>> shown("hello"), shown(9), shown([1, 2])
    ("'hello'", "'9'", 'list')
    """
    return type(value).__name__ if isinstance(value, (list, dict)) else repr(str(value)[:SHOWN])


def result_text(state: State) -> str:
    """Returns how a finished game ended, e.g. ``17 to 12, player 0 wins``."""
    winner = state.winner()
    return "{} to {}, ".format(*state.scores()) + ("a draw" if winner is None else f"player {winner} wins")


@dataclass(frozen=True)
class SavedGame:
    """Holds a game from its deal on.

    Args:
        start: First position.
        players: Names of player 0 and player 1; `PERSON` is a person.
        moves: Actions in the order of play.
        seed: Random seed of the deal if `start` is ``State.initial(seed)``, otherwise None.
    """

    start: State
    players: tuple[str, str]
    moves: tuple[Action, ...] = ()
    seed: int | None = None

    def states(self) -> list[State]:
        """Returns all positions, from the first to the last. Raises ValueError if a move is illegal."""
        states = [self.start]
        for move in self.moves:
            states.append(states[-1].step(move))
        return states

    def text(self) -> str:
        """Returns the text that `parse` reads. It contains the deal, so it reveals hidden cards."""
        deal = str(self.start) if self.seed is None else f"seed {self.seed}"
        lines = [MAGIC]
        lines += [f"{key}: {value}" for key, value in zip(_HEAD, (self.start.game, *self.players, deal), strict=True)]
        lines += [f"{number}: {move}" for number, move in enumerate(self.moves, 1)]
        last = self.states()[-1]
        if last.is_terminal:
            lines.append(f"end: {result_text(last)}")
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> SavedGame:
        """Parses the text of a game. Blank lines and lines that begin with ``#`` are skipped.

        Raises:
            ValueError: Names the line and what is wrong with it: an unknown word, an illegal move, or an end that does
                not agree with the moves.
        """
        if len(text) > LONGEST:
            raise ValueError(f"text: {len(text):,} characters given, a game has at most {LONGEST:,}")
        reader = _Reader(text)
        reader.magic()
        game, first, second, deal = (reader.field(key) for key in _HEAD)
        if game.value not in games():
            game.fail(f"game: {shown(game.value)} is not known; known are {', '.join(games())}")
        start, seed = _dealt(deal, game.value)
        moves: list[Action] = []
        state = start
        for line in reader.rest():
            if line.key == "end":
                _check_end(line, state)
                reader.nothing_more()
                break
            state = _step(line, state, len(moves) + 1)
            moves.append(Action.parse(line.value, start.game))
        return cls(start, (first.value, second.value), tuple(moves), seed)


@dataclass(frozen=True)
class _Line:
    number: int
    key: str
    value: str

    def fail(self, what: str) -> NoReturn:
        raise ValueError(f"line {self.number}: {what}") from None


class _Blame:
    """Prefixes a ValueError's message with the line's number."""

    def __init__(self, line: _Line) -> None:
        self.line = line

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError):
            self.line.fail(str(error))


class _Reader:
    """Returns a text's lines one by one."""

    def __init__(self, text: str) -> None:
        lines = text.removeprefix("\ufeff").splitlines()
        said = ((k, line.strip()) for k, line in enumerate(lines, 1))
        self.lines = [(k, line) for k, line in said if line and not line.startswith("#")]
        self.end = len(lines) + 1

    def _next(self, expected: str) -> tuple[int, str]:
        if not self.lines:
            raise ValueError(f"line {self.end}: the text ends, expected {expected!r}")
        return self.lines.pop(0)

    def magic(self) -> None:
        number, line = self._next(MAGIC)
        if line != MAGIC:
            raise ValueError(f"line {number}: {shown(line)} given, expected {MAGIC!r}: this is no saved game")

    def _split(self, number: int, line: str, expected: str) -> _Line:
        key, colon, value = line.partition(":")
        if not colon or not value.strip():
            raise ValueError(f"line {number}: {shown(line)} given, expected {expected}")
        return _Line(number, key.strip(), value.strip())

    def field(self, key: str) -> _Line:
        number, text = self._next(f"{key}: ...")
        line = self._split(number, text, f"'{key}: ...'")
        if line.key != key:
            line.fail(f"{shown(line.key)} given, expected {key!r}")
        if key.startswith("player") and (len(line.value) > 100 or not line.value.isprintable()):
            line.fail(f"{key}: {shown(line.value)}... given, expected a name of up to 100 printable characters")
        return line

    def rest(self) -> Iterator[_Line]:
        while self.lines:
            yield self._split(*self.lines.pop(0), "'NUMBER: MOVE' or 'end: ...'")

    def nothing_more(self) -> None:
        if self.lines:
            raise ValueError(f"line {self.lines[0][0]}: {shown(self.lines[0][1])} given after the end")


def _dealt(line: _Line, game: str) -> tuple[State, int | None]:
    with _Blame(line):
        found = re.fullmatch(r"seed ([0-9]{1,20})", line.value)
        if not found and (line.value.startswith("seed") or len(line.value) > LONGEST_DEAL):
            raise ValueError(f"deal: {shown(line.value)} given, expected 'seed NUMBER' or a position")
        if found:
            return State.initial(int(found[1]), game=game), int(found[1])
        return State.parse(line.value, game=game), None


def _step(line: _Line, state: State, expected: int) -> State:
    if line.key != str(expected):
        line.fail(f"{shown(line.key)} given, expected move {expected}, or 'end'")
    if state.is_terminal:
        line.fail(f"move {expected}: {shown(line.value)} given, but the game is over")
    with _Blame(line):
        return state.step(Action.parse(line.value, state.game))


def _check_end(line: _Line, state: State) -> None:
    if not state.is_terminal:
        line.fail(f"end: given, but the game is not over after {state.ply} turns")
    if line.value != result_text(state):
        line.fail(f"end: {shown(line.value)} given, but the moves lead to {result_text(state)!r}")
