"""The games a server holds: found by an id that cannot be guessed, bounded in number and age."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from lit_trainer.play.session import Session
from lit_trainer.play.thinkers import Thinker

Mode = Literal["play", "watch", "replay"]


@dataclass
class Hosted:
    """A game on the server.

    Args:
        mode: a person plays, two agents play, or a saved game is stepped through.
        session: the game.
        thinkers: who plays each seat; None where nobody of the server does.
        adviser: gives hints and looks at positions.
        seed: of the agents' choices.
    """

    mode: Mode
    session: Session
    thinkers: tuple[Thinker | None, Thinker | None]
    adviser: Thinker
    seed: int
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    touched: float = 0.0


class Store:
    """Games by id. The one unused longest goes when there is no room, every one when it is too old.

    Args:
        most: games held at once.
        idle_s: seconds after which a game that nobody asks for is dropped.
        clock: seconds that only grow.
    """

    def __init__(self, most: int = 200, idle_s: float = 86_400.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.idle_s = idle_s
        self._clock = clock
        self._games: OrderedDict[str, Hosted] = OrderedDict()  # the one unused longest first

    def __len__(self) -> int:
        return len(self._games)

    def add(self, game: Hosted) -> str:
        """Hold a game; returns its id."""
        self._drop_old()
        while len(self._games) >= self.most:
            self._games.popitem(last=False)
        key = secrets.token_urlsafe(12)
        game.touched = self._clock()
        self._games[key] = game
        return key

    def get(self, key: str) -> Hosted | None:
        """The game of that id, if it is still there."""
        self._drop_old()
        game = self._games.get(key)
        if game:
            game.touched = self._clock()
            self._games.move_to_end(key)
        return game

    def _drop_old(self) -> None:
        latest = self._clock() - self.idle_s
        while self._games and next(iter(self._games.values())).touched < latest:
            self._games.popitem(last=False)
