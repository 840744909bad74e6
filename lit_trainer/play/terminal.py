"""`lit-trainer play`: a person plays an agent in the terminal."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from lit_trainer.play.drawing import draw_moves, draw_position, thought_text, turn_text
from lit_trainer.play.record import LONGEST, PERSON, Record, result_text
from lit_trainer.play.session import Session, seat_in
from lit_trainer.play.thinkers import ADVISER, Thinker, default_agent, make_thinker
from lit_trainer.play.views import face_of
from lit_trainer.utils.seeding import derive_seed
from sim_core import Action

HELP = """\
NUMBER or NOTATION  play that move, e.g. 2 or X=K1 (docs/notation.md)
hint                what a searching agent would play in your place, and why
undo                take back your last move
review              every turn so far, with the agent's reasons
save FILE           write the game to a new file, for --load
help                this
quit                leave; an unsaved game is lost"""


def play(
    agent: str | None = None,
    simulations: int = 64,
    seat: Literal["first", "second", "random"] | None = None,
    seed: int | None = None,
    load: Path | None = None,
    game: str = "beasty_bar",
) -> None:
    """Play an agent in the terminal.

    Args:
        agent: path of a checkpoint, a built-in opponent's name, or ismcts:N; by default a checkpoint that lies about.
        simulations: search simulations a move, of a checkpoint; 0 plays its policy.
        seat: whether you begin; by default you do, or sit where you sat in the game that is loaded.
        seed: of the deal; by default one that nobody knows.
        load: a saved game to go on with.
        game: a registered game's name; a loaded game brings its own.

    Raises:
        ValueError: names the argument that is wrong, or the line of the saved game.
        OSError: the saved game cannot be read.
    """
    console = Console(highlight=False)
    record = _read(load) if load else None
    game = record.start.game if record else game
    face_of(game)
    if agent is None:
        agent = default_agent(game)
        console.print(f"No --agent given: you play {agent}.", markup=False, soft_wrap=True)
    seed = record.seed if record and record.seed is not None else secrets.randbits(32) if seed is None else seed
    thinker = make_thinker(agent, simulations=simulations)
    if game not in thinker.games:
        raise ValueError(f"agent: {agent!r} given, but it does not play {game}")
    session = _session(record, thinker, seat, seed, game)
    _Table(console, session, thinker, seed).run()


def _read(path: Path) -> Record:
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(LONGEST + 1)
    try:
        return Record.parse(text)
    except ValueError as error:
        raise ValueError(f"load: {str(path)!r}: {error}") from None


def _session(record: Record | None, thinker: Thinker, seat: str | None, seed: int, game: str) -> Session:
    seats = {"first": 0, "second": 1, "random": derive_seed(seed, "seat") % 2}
    wanted = seats[seat] if seat else None
    if record:
        found = seat_in(record)
        if wanted is None and found is None and not record.states()[-1].is_terminal:
            raise ValueError("seat: missing; the loaded game names no person, so say 'first' or 'second'")
        return Session(record, found if wanted is None else wanted)
    person = wanted or 0
    names = (PERSON, thinker.name) if person == 0 else (thinker.name, PERSON)
    return Session.deal(seed, names, person, game)


class _Table:
    """One game at a terminal."""

    def __init__(self, console: Console, session: Session, thinker: Thinker, seed: int) -> None:
        self.console = console
        self.session = session
        self.thinker = thinker
        self.seed = seed
        self.adviser = thinker if thinker.has_reasons else make_thinker(ADVISER)
        self.going = True

    def run(self) -> None:
        """Play until the person leaves, or the input ends."""
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
                thought = self.thinker.think(session.state, self.seed)
            session.play(thought.action, thought)
            self._tell(session.turns - 1)

    def _tell(self, k: int) -> None:
        view = self.session.view()
        turn = view["turns"][k]
        self.console.print(turn_text(turn, view))
        if "thought" in turn:
            self.console.print(thought_text(turn["thought"], "its"))

    def _numbered(self) -> bool:
        """Numbers name moves unless the notation itself is numbers."""
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
        commands = {"help": self.help, "undo": self.undo, "hint": self.hint, "review": self.review, "quit": self.quit}
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
                raise ValueError(f"{line[:20]!r} is no move's number; there are 1 to {len(legal)}")
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
        self._say(HELP)

    def quit(self) -> None:
        self.going = False

    def undo(self) -> None:
        self.session.undo()

    def hint(self) -> None:
        if self.session.state.is_terminal:
            raise ValueError("hint: the game is over")
        with self.console.status("thinking"):
            thought = self.adviser.think(self.session.state, self.seed)
        view = self.session.thought_view(self.session.turns, thought)
        self._say(f"{self.adviser.name} would play {view['action']}.")
        self.console.print(thought_text(view, "your"))

    def review(self) -> None:
        for k in range(self.session.turns):
            self.console.print(Text(f"{k + 1:>2} "), end="")
            self._tell(k)

    def save(self, name: str) -> None:
        """Write the game to a new file; one that exists is left alone."""
        if not name:
            raise ValueError("save: name a file, e.g. save game.txt")
        try:
            with open(Path(name).expanduser(), "x", encoding="utf-8") as file:
                file.write(self.session.record().text())
        except FileExistsError:
            raise ValueError(f"save: {name!r} exists already; name another file") from None
        self._say(f"Saved to {name}.")
