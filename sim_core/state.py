"""Offers one position (`State`) and one action (`Action`) as immutable Python values over the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_core import _arguments
from sim_core.beasty_bar.game import score_as
from sim_core.game import GameHandle, get_game


def _variant(game: str) -> str:
    return "" if game == "beasty_bar" else f", game={game!r}"


class Action:
    """Holds one action of a game as its id, which never depends on where a card lies in the hand.

    Args:
        id: Id of the action, 0 to the number of actions minus 1.
        game: Name of a registered game.

    Raises:
        ValueError: Names the argument, the value and what would be right.

    >>> Action.parse("X=K1").id, str(Action(3))
    (27, 'S')
    """

    __slots__ = ("game", "id")
    id: int
    game: str

    def __init__(self, id: int, game: str = "beasty_bar") -> None:
        highest = get_game(game).num_actions - 1
        number = _arguments.integer("id", id, 0, highest, f"an integer from 0 to {highest} for {game}")
        object.__setattr__(self, "id", number)
        object.__setattr__(self, "game", game)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: an Action cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: an Action cannot be changed")

    @classmethod
    def parse(cls, text: str, game: str = "beasty_bar") -> Action:
        """Returns the action with this text (docs/notation.md). Raises ValueError if there is none."""
        handle = get_game(game)
        try:
            return cls(handle.action_ids[text], game)
        except (KeyError, TypeError):
            raise ValueError(
                f"action: {str(text)[:50]!r} is not an action of {game}; actions are {' '.join(handle.actions)}"
            ) from None

    def __str__(self) -> str:
        return str(get_game(self.game).actions[self.id])

    def __repr__(self) -> str:
        return f"Action.parse({str(self)!r}{_variant(self.game)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Action) and (self.id, self.game) == (other.id, other.game)

    def __hash__(self) -> int:
        return hash((self.id, self.game))

    def __reduce__(self) -> tuple[type[Action], tuple[int, str]]:
        return Action, (self.id, self.game)


class State:
    """Holds a position that never changes: `step` returns a new one.

    Args:
        data: The engine's packed state, one row of `GameBatch.packed`.
        game: Name of a registered game.

    Raises:
        ValueError: Names the argument, the value and what would be right.

    >>> state = State.parse("hc - - X/- -/- 0 0")
    >>> [str(action) for action in state.legal_actions()]
    ['X=H', 'X=C']
    >>> str(state.step(Action.parse("X=H")))
    'hc - X -/- -/- 1 1'
    """

    __slots__ = ("data", "game")
    data: bytes
    game: str

    def __init__(self, data: bytes, game: str = "beasty_bar") -> None:
        rules = get_game(game)
        if type(data) is not bytes or len(data) != rules.state_size:
            given = f"{len(data)} bytes" if type(data) is bytes else type(data).__name__
            raise ValueError(f"data: {given} given, expected {rules.state_size} bytes of a packed {game} state")
        if not rules.is_valid(data):
            raise ValueError(f"data: these bytes are no position of {game}")
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "game", game)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: a State cannot be changed; step() returns a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: a State cannot be changed; step() returns a new one")

    @classmethod
    def initial(cls, seed: int, first_player: int = 0, *, game: str = "beasty_bar") -> State:
        """Returns the deal of a seed, which is game 0 of ``GameBatch(1, seed)``.

        Args:
            seed: Random seed, 0 to 2**64 - 1.
            first_player: Player who begins, 0 or 1.
            game: Name of a registered game.

        Raises:
            ValueError: Names the argument, the value and what would be right.
        """
        return cls(get_game(game).initial(seed, first_player), game)

    @classmethod
    def parse(cls, text: str, *, game: str = "beasty_bar") -> State:
        """Returns the position with this text (docs/notation.md). Raises ValueError naming the field and its fault."""
        return cls(get_game(game).parse(text), game)

    @property
    def _rules(self) -> GameHandle:
        return get_game(self.game)

    def __str__(self) -> str:
        return str(self._rules.format(self.data))

    def __repr__(self) -> str:
        return f"State.parse({str(self)!r}{_variant(self.game)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and (self.data, self.game) == (other.data, other.game)

    def __hash__(self) -> int:
        return hash((self.data, self.game))

    def __reduce__(self) -> tuple[type[State], tuple[bytes, str]]:
        return State, (self.data, self.game)

    def legal_actions(self) -> tuple[Action, ...]:
        """Returns the legal actions in order of id. There are none when the game is over."""
        return tuple(Action(k, self.game) for k in self._rules.legal_actions(self.data))

    def step(self, action: Action) -> State:
        """Returns the position after the mover's whole turn. Raises ValueError if the action is not legal."""
        if not isinstance(action, Action) or action.game != self.game:
            raise ValueError(
                f"action: {action!r} given, expected an Action of {self.game}, such as Action(0, {self.game!r})"
            )
        return State(self._rules.step(self.data, action.id), self.game)

    def determinize(self, seed: int) -> State:
        """Returns a random position, drawn uniformly from those that look the same to the player to move."""
        return State(self._rules.determinize(self.data, seed), self.game)

    def observe(self) -> NDArray[np.float32]:
        """Returns what the player to move may know, float32 [observation_size]."""
        observation: NDArray[np.float32] = self._rules.observe(self.data)
        return observation

    @property
    def is_terminal(self) -> bool:
        """Returns whether the game is over."""
        return bool(self._rules.is_terminal(self.data))

    @property
    def is_solvable(self) -> bool:
        """Returns whether `solve_endgame` can solve this position. In Beasty Bar nothing may be hidden any more."""
        return bool(self._rules.is_solvable(self.data))

    @property
    def to_move(self) -> int:
        """Returns the player to move, 0 or 1."""
        return int(self._rules.to_move(self.data))

    @property
    def ply(self) -> int:
        """Returns the number of turns taken."""
        return int(self._rules.ply(self.data))

    def scores(self, scoring: str | None = None) -> tuple[int, int]:
        """Returns both players' scores as the position stands.

        Args:
            scoring: Beasty Bar's scoring: "points" or "animals" in the bar. None: the game's own scoring.

        Raises:
            ValueError: The game has no such scoring.
        """
        scores: tuple[int, int] = self._score(scoring)[0]
        return scores

    def winner(self, scoring: str | None = None) -> int | None:
        """Returns the winner as the position stands, None for a draw. `scoring` is as in `scores`."""
        winner: int | None = self._score(scoring)[1]
        return winner

    def _score(self, scoring: str | None) -> Any:
        if scoring is None:
            winners = {1: 0, 0: None, -1: 1}
            return self._rules.scores(self.data), winners[self._rules.outcome(self.data, 0)]
        if not self.game.startswith("beasty_bar"):
            raise ValueError(f"scoring: {scoring!r} given, but {self.game} has only one scoring, expected none")
        return score_as(self.data, scoring)


def solve_endgame(state: State) -> tuple[int, Action]:
    """Returns the exact value for the player to move, -1, 0 or 1, and a best action.

    Raises:
        ValueError: The position cannot be solved yet (Beasty Bar: a deck still holds cards), or the game is over.
    """
    value, best = get_game(state.game).solve(state.data)
    return int(value), Action(best, state.game)
