"""Runs `lit-trainer play`: a person plays an agent in the terminal."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from lit_trainer.play.drawing import draw_moves, draw_position, hand_text, thought_text, turn_text
from lit_trainer.play.saved_game import LONGEST, PERSON, SavedGame, result_text
from lit_trainer.play.session import Session, seat_in
from lit_trainer.play.thinkers import ADVISER, Thinker, default_agent, make_thinker
from lit_trainer.play.views import face_of
from lit_trainer.players.specs import check_plays
from lit_trainer.utils.seeding import derive_seed
from sim_core import Action

HELP = """\
NUMBER or NOTATION  play that move, e.g. 2 or X=K1 (docs/notation.md)
hint                show what a searching agent would play in your place, and why
beliefs             show what the agent believed of your hand at its last move
undo                take back your last move
review              show every turn so far, with the agent's reasons
save FILE           write the game to a new file, for --load
help                show these commands
quit                leave; an unsaved game is lost"""


def play(
    agent: str | None = None,
    simulations: int = 64,
    seat: Literal["first", "second", "random"] | None = None,
    seed: int | None = None,
    load: Path | None = None,
    game: str = "beasty_bar",
) -> None:
    """Runs a game against an agent in the terminal.

    Args:
        agent: Agent to play: FILE.ckpt, FILE.ckpt@SIMULATIONS, a run's folder, a built-in opponent, ismcts:N, or
            package.module.Agent(argument=value). By default the best checkpoint it finds.
        simulations: Simulations per move of a checkpoint given without @SIMULATIONS. 0 plays its raw policy.
        seat: Your seat; the first player begins. By default the first, or your seat in the loaded game.
        seed: Random seed of the deal. By default a random one.
        load: Saved game to continue.
        game: Name of the game. A loaded game has its own.

    Raises:
        ValueError: Names the wrong argument, or the line of the saved game.
    """
    console = Console(highlight=False)
    saved = _read(load) if load else None
    game = saved.start.game if saved else game
    face_of(game)
    if agent is None:
        agent = default_agent(game)
        console.print(f"No --agent given: you play {agent}.", markup=False, soft_wrap=True)
    seed = saved.seed if saved and saved.seed is not None else secrets.randbits(32) if seed is None else seed
    thinker = make_thinker(agent, simulations=simulations)
    check_plays(thinker, game, "agent")
    session = _session(saved, thinker, seat, seed, game)
    _Table(console, session, thinker, seed).run()


def _read(path: Path) -> SavedGame:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(LONGEST + 1)
    except OSError as error:
        raise ValueError(f"load: {str(path)!r} cannot be read ({error.strerror})") from None
    try:
        return SavedGame.parse(text)
    except ValueError as error:
        raise ValueError(f"load: {str(path)!r}: {error}") from None


def _session(saved: SavedGame | None, thinker: Thinker, seat: str | None, seed: int, game: str) -> Session:
    seats = {"first": 0, "second": 1, "random": derive_seed(seed, "seat") % 2}
    wanted = seats[seat] if seat else None
    if saved:
        found = seat_in(saved)
        if wanted is None and found is None and not saved.states()[-1].is_terminal:
            raise ValueError("seat: missing; the loaded game names no person, so say 'first' or 'second'")
        return Session(saved, found if wanted is None else wanted)
    person = wanted or 0
    names = (PERSON, thinker.name) if person == 0 else (thinker.name, PERSON)
    return Session.deal(seed, names, person, game)


class _Table:
    """Runs one game at a terminal."""

    def __init__(self, console: Console, session: Session, thinker: Thinker, seed: int) -> None:
        self.console = console
        self.session = session
        self.thinker = thinker
        self.seed = seed
        self.adviser = thinker if thinker.has_reasons else make_thinker(ADVISER)
        self.going = True

    def run(self) -> None:
        """Plays until the person leaves or the input ends."""
        if self.session.state.is_terminal:
            self.review()
        shown: object = None
        while self.going:
            if self.session.seat is not None and not self.session.state.is_terminal:
                self._agent_moves()
            if shown is not self.session.state:
                self._show()
                shown = self.session.state
            try:
                line = self.console.input("> ").strip()
            except (EOFError, KeyboardInterrupt):
                self.console.print()
                return
            if line:
                self._obey(line)

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def _agent_moves(self) -> None:
        session = self.session
        while not session.state.is_terminal and not session.awaits_person:
            with self.console.status("the agent thinks"):
                thought = self.thinker.think(session.state, self.seed, session.history_at(session.turns))
            session.play(thought.action, thought)
            self._tell(session.turns - 1)

    def _tell(self, k: int) -> None:
        view = self.session.view()
        turn = view["turns"][k]
        self.console.print(turn_text(turn, view))
        if "thought" in turn:
            self.console.print(thought_text(turn["thought"], "its"))
            if view["over"] and "hand" in turn["thought"]:
                self.console.print(hand_text(turn["thought"]))

    def _numbered(self) -> bool:
        """Returns whether moves have numbers: not where the notation itself consists of numbers."""
        return not all(str(action).isdigit() for action in self.session.state.legal_actions())

    def _show(self) -> None:
        view = self.session.view()
        self.console.print(draw_position(view))
        if not view["over"]:
            self.console.print(draw_moves(view, self._numbered()))
            return
        state, seat = self.session.state, self.session.seat
        winner = state.winner()
        verdict = (
            "The game is over: " if seat is None or winner is None else "You win: " if winner == seat else "You lose: "
        )
        self._say(f"{verdict}{result_text(state)}. Now: review, undo, save FILE or quit.")

    def _obey(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        plain = (self.help, self.undo, self.hint, self.beliefs, self.review, self.quit)
        commands = {command.__name__: command for command in plain}
        try:
            if word.lower() == "save":
                self.save(rest.strip())
            elif line.lower() in commands:
                commands[line.lower()]()
            else:
                self._move(line)
        except (ValueError, OSError) as error:
            self._say(str(error))

    def _move(self, line: str) -> None:
        if self.session.state.is_terminal:
            raise ValueError(f"{line[:50]!r}: the game is over; say review, undo, save FILE, help or quit")
        legal = self.session.state.legal_actions()
        if self._numbered() and line.isascii() and line.isdigit():
            number = int(line) if len(line) < 4 else 0
            if not 1 <= number <= len(legal):
                raise ValueError(f"{line[:20]!r} is no move's number; expected 1 to {len(legal)}")
            self.session.play(legal[number - 1])
        else:
            self.session.play(self._named(line))
        self._tell(self.session.turns - 1)

    def _named(self, line: str) -> Action:
        try:
            return self.session.parse_move(line)
        except ValueError:
            legal = " ".join(map(str, self.session.state.legal_actions()))
            raise ValueError(f"{line[:50]!r} is neither a legal move ({legal}) nor a command; try help") from None

    def help(self) -> None:
        """Prints the commands."""
        self._say(HELP)

    def quit(self) -> None:
        """Ends the game."""
        self.going = False

    def undo(self) -> None:
        """Takes back the person's last move."""
        self.session.undo()

    def hint(self) -> None:
        """Prints what the adviser would play, and why."""
        if self.session.state.is_terminal:
            raise ValueError("hint: the game is over")
        session = self.session
        with self.console.status("thinking"):
            thought = self.adviser.think(session.state, self.seed, session.history_at(session.turns))
        view = self.session.thought_view(self.session.turns, thought)
        self._say(f"{self.adviser.name} would play {view['action']}.")
        self.console.print(thought_text(view, "your"))
        if "hand" in view:
            self.console.print(hand_text(view))

    def beliefs(self) -> None:
        """Prints what the agent believed of the person's hand when it last moved."""
        thoughts = [turn.get("thought", {}) for turn in self.session.view()["turns"]]
        believed = [thought for thought in thoughts if "hand" in thought]
        if not believed:
            raise ValueError(
                "beliefs: there are none; only an agent that expects an opponent, such as FILE.ckpt@64+skunk, has "
                "some, from its first move on"
            )
        self.console.print(hand_text(believed[-1]))

    def review(self) -> None:
        """Prints every turn so far."""
        for k in range(self.session.turns):
            self.console.print(Text(f"{k + 1:>2} "), end="")
            self._tell(k)

    def save(self, name: str) -> None:
        """Writes the game to a new file; an existing file is never overwritten."""
        if not name:
            raise ValueError("save: name a file, e.g. save game.txt")
        try:
            with open(Path(name).expanduser(), "x", encoding="utf-8") as file:
                file.write(self.session.saved_game().text())
        except FileExistsError:
            raise ValueError(f"save: {name!r} exists already; name another file") from None
        self._say(f"Saved to {name}.")
