"""A game under way, with or without a person in it: what was played and why, undo, views, and its text."""

from __future__ import annotations

from lit_trainer.play.record import PERSON, Record, shown
from lit_trainer.play.thinkers import Thought
from lit_trainer.play.views import View, action_view, face_of, position_view
from sim_core import Action, State


class Session:
    """A game from its deal on, that grows and shrinks by turns.

    While a person plays, views hold nothing that the person cannot know: not the other hand, not the decks, and of an
    agent's reasons only what its move has shown already. Once the game is over, or where nobody plays, all is open.

    Args:
        record: the game so far.
        seat: the person's number, 0 or 1; None where nobody plays (agents play, or a game is looked at).

    Raises:
        ValueError: a move is not legal where it stands, or the game cannot be shown.
    """

    def __init__(self, record: Record, seat: int | None = None) -> None:
        self._face = face_of(record.start.game)
        if seat not in (None, 0, 1):
            raise ValueError(f"seat: {seat!r} given, expected 0, 1 or None")
        self.seat = seat
        self.players = record.players
        self.seed = record.seed
        self._states = record.states()
        self._moves = list(record.moves)
        self._thoughts: list[Thought | None] = [None] * len(self._moves)

    @classmethod
    def deal(cls, seed: int, players: tuple[str, str], seat: int | None = None, game: str = "beasty_bar") -> Session:
        """A new game, the deal of that seed; player 0 begins."""
        return cls(Record(State.initial(seed, game=game), players, seed=seed), seat)

    @property
    def state(self) -> State:
        return self._states[-1]

    @property
    def turns(self) -> int:
        """How many turns have been taken since the deal."""
        return len(self._moves)

    @property
    def viewer(self) -> int | None:
        """For whom views are made: the person while the game goes on, else nobody in particular."""
        return None if self.state.is_terminal else self.seat

    @property
    def awaits_person(self) -> bool:
        return not self.state.is_terminal and self.seat == self.state.to_move

    def parse_move(self, text: str) -> Action:
        """A legal action by its notation. Raises ValueError with what would be legal."""
        if self.state.is_terminal:
            raise ValueError("move: the game is over")
        legal = self.state.legal_actions()
        for action in legal:
            if str(action).lower() == text.strip().lower():
                return action
        raise ValueError(f"move: {shown(text)} is not legal here; legal are {' '.join(map(str, legal))}")

    def play(self, action: Action, thought: Thought | None = None) -> None:
        """Take a turn. Raises ValueError where the action is not legal.

        Args:
            action: of the player to move.
            thought: why, where an agent plays.
        """
        self._states.append(self.state.step(action))
        self._moves.append(action)
        self._thoughts.append(thought)

    @property
    def can_undo(self) -> bool:
        return self._undone_turns() > 0

    def _undone_turns(self) -> int:
        """Turns to take back: up to the person's last move, or one where nobody plays."""
        if self.seat is None:
            return min(1, self.turns)
        for back in range(1, self.turns + 1):
            if self._states[-1 - back].to_move == self.seat:
                return back
        return 0

    def undo(self) -> None:
        """Take back the person's last move and what followed. Raises ValueError where there is none."""
        turns = self._undone_turns()
        if not turns:
            raise ValueError("undo: you have not moved yet" if self.seat is not None else "undo: this is the beginning")
        for part in (self._states, self._moves, self._thoughts):
            del part[-turns:]

    def record(self) -> Record:
        """The game so far; its text holds the deal."""
        return Record(self._states[0], self.players, tuple(self._moves), self.seed)

    def state_at(self, turn: int) -> State:
        """The position after so many turns. Raises ValueError where there were fewer."""
        if isinstance(turn, bool) or not isinstance(turn, int) or not 0 <= turn <= self.turns:
            raise ValueError(f"turn: {turn!r} given, expected 0 to {self.turns}")
        return self._states[turn]

    def view(self, turn: int | None = None) -> View:
        """Everything to be shown, as plain values.

        Args:
            turn: the position after so many turns; None is the latest.
        """
        turn = self.turns if turn is None else turn
        state = self.state_at(turn)
        return {
            "players": list(self.players),
            "seat": self.seat,
            "turn": turn,
            "turns": [self._turn_view(k) for k in range(self.turns)],
            "over": self.state.is_terminal,
            "can_undo": self.can_undo,
            "awaits_person": self.awaits_person,
            "position": position_view(state, self.viewer),
        }

    def _turn_view(self, k: int) -> View:
        before, action = self._states[k], self._moves[k]
        view = action_view(before, action, self.viewer) | {"player": before.to_move}
        view |= self._face.outcome(before, self._states[k + 1])
        thought = self._thoughts[k]
        if thought:
            view["thought"] = self.thought_view(k, thought)
        return view

    def thought_view(self, turn: int, thought: Thought) -> View:
        """An agent's reasons, less what would give away cards that the viewer cannot know.

        Args:
            turn: the thought is about the position after so many turns.
            thought: of the player to move there.
        """
        state = self.state_at(turn)
        hidden = self.viewer is not None and self.viewer != state.to_move
        shown = [
            action_view(state, action, self.viewer) | {"share": round(share, 4)}
            for action, share in thought.shares
            if not (hidden and self._face.gives_away(thought.action, action))
        ]
        chance = thought.win_chance
        return {
            "action": str(thought.action),
            "shares": shown,
            "win_chance": None if chance is None else round(chance, 4),
        }


def seat_in(record: Record) -> int | None:
    """The seat of the person in a saved game; None where both or neither is one."""
    seats = [k for k, name in enumerate(record.players) if name == PERSON]
    return seats[0] if len(seats) == 1 else None
