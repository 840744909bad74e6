"""Runs a game, with or without a person in it: moves and their reasons, undo, views, and the game's text."""

from __future__ import annotations

from lit_trainer.play.impressions import opponent_words
from lit_trainer.play.saved_game import PERSON, SavedGame, shown
from lit_trainer.play.thinkers import Thought
from lit_trainer.play.views import View, action_view, believed_cards, face_of, position_view
from lit_trainer.players.histories import History
from sim_core import Action, State


class Session:
    """Runs a game from its deal on; turns are added and taken back.

    While a person plays, views contain nothing that the person cannot know: not the opponent's hand, not the decks, and
    of an agent's reasons only what its move has already revealed. When the game is over, or no person plays, views show
    everything.

    Args:
        saved: The game so far.
        seat: Player number of the person, 0 or 1. None: no person plays (two agents play, or a saved game is viewed).

    Raises:
        ValueError: A move is illegal, or the game cannot be shown.
    """

    def __init__(self, saved: SavedGame, seat: int | None = None) -> None:
        self._face = face_of(saved.start.game)
        if seat not in (None, 0, 1):
            raise ValueError(f"seat: {seat!r} given, expected 0, 1 or None")
        self.seat = seat
        self.players = saved.players
        self.seed = saved.seed
        self._states = saved.states()
        self._moves = list(saved.moves)
        self._thoughts: list[Thought | None] = [None] * len(self._moves)

    @classmethod
    def deal(cls, seed: int, players: tuple[str, str], seat: int | None = None, game: str = "beasty_bar") -> Session:
        """Returns a new game with the deal of that seed; player 0 begins."""
        return cls(SavedGame(State.initial(seed, game=game), players, seed=seed), seat)

    @property
    def state(self) -> State:
        """Returns the latest position."""
        return self._states[-1]

    @property
    def turns(self) -> int:
        """Returns the number of turns since the deal."""
        return len(self._moves)

    @property
    def viewer(self) -> int | None:
        """Returns the player whose knowledge limits the views: the person during the game, otherwise None."""
        return None if self.state.is_terminal else self.seat

    @property
    def awaits_person(self) -> bool:
        """Returns whether the person is to move."""
        return not self.state.is_terminal and self.seat == self.state.to_move

    def parse_move(self, text: str) -> Action:
        """Returns the legal action of that notation. Raises ValueError, which lists the legal actions."""
        if self.state.is_terminal:
            raise ValueError("move: the game is over")
        legal = self.state.legal_actions()
        for action in legal:
            if str(action).lower() == text.strip().lower():
                return action
        raise ValueError(f"move: {shown(text)} is not legal here; legal are {' '.join(map(str, legal))}")

    def play(self, action: Action, thought: Thought | None = None) -> None:
        """Plays an action. Raises ValueError if it is illegal.

        Args:
            action: Action of the player to move.
            thought: Reasons of the agent that plays. None: a person plays.
        """
        self._states.append(self.state.step(action))
        self._moves.append(action)
        self._thoughts.append(thought)

    @property
    def can_undo(self) -> bool:
        """Returns whether there is a turn to take back."""
        return self._undone_turns() > 0

    def _undone_turns(self) -> int:
        """Returns the number of turns to take back: up to the person's last move, or one if no person plays."""
        if self.seat is None:
            return min(1, self.turns)
        for back in range(1, self.turns + 1):
            if self._states[-1 - back].to_move == self.seat:
                return back
        return 0

    def undo(self) -> None:
        """Takes back the person's last move and the turns after it. Raises ValueError if there is none."""
        turns = self._undone_turns()
        if not turns:
            raise ValueError(
                "undo: you have not moved yet" if self.seat is not None else "undo: this is the first position"
            )
        for part in (self._states, self._moves, self._thoughts):
            del part[-turns:]

    def saved_game(self) -> SavedGame:
        """Returns the game so far. Its text contains the deal, so it reveals hidden cards."""
        return SavedGame(self._states[0], self.players, tuple(self._moves), self.seed)

    def state_at(self, turn: int) -> State:
        """Returns the position after that number of turns. Raises ValueError if there were fewer."""
        if isinstance(turn, bool) or not isinstance(turn, int) or not 0 <= turn <= self.turns:
            raise ValueError(f"turn: {turn!r} given, expected 0 to {self.turns}")
        return self._states[turn]

    def history_at(self, turn: int) -> History:
        """Returns what was played before that position; nothing where the session began in the middle of a game."""
        return () if self._states[0].ply else tuple(zip(self._states[:turn], self._moves[:turn], strict=True))

    def view(self, turn: int | None = None) -> View:
        """Returns everything to show, as plain values.

        Args:
            turn: Number of turns before the position to show. None: the latest position.
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
        """Returns an agent's reasons, without those that reveal cards which the viewer cannot know.

        Args:
            turn: Number of turns before the position that the thought is about.
            thought: Thought of the player to move there.
        """
        state = self.state_at(turn)
        hidden = self.viewer is not None and self.viewer != state.to_move
        shown = [
            action_view(state, action, self.viewer) | {"share": round(share, 4)}
            for action, share in thought.shares
            if not (hidden and self._face.gives_away(thought.action, action))
        ]
        chance = thought.win_chance
        view: View = {
            "action": str(thought.action),
            "shares": shown,
            "win_chance": None if chance is None else round(chance, 4),
        }
        about_person = self.seat == 1 - state.to_move
        if words := opponent_words(thought.impression, "you" if about_person else "the other player"):
            view["opponent"] = words
        hand = thought.impression.hand
        if cards := believed_cards(self._face.cards, hand) if hand else []:
            view["hand"] = {"whose": "your" if about_person else "the other player's", "cards": cards}
        return view


def seat_in(saved: SavedGame) -> int | None:
    """Returns the seat of the person in a saved game. None: both players or neither are persons."""
    seats = [k for k, name in enumerate(saved.players) if name == PERSON]
    return seats[0] if len(seats) == 1 else None
