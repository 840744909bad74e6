"""Keeps the games of a server under ids that cannot be guessed, bounded in number and age."""

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
    """Holds a game on the server and the agents that take part in it.

    Args:
        mode: "play": a person plays an agent. "watch": two agents play. "replay": a saved game is viewed.
        session: The game.
        thinkers: Agent of each seat. None: no agent of the server plays there.
        adviser: Agent that gives hints and evaluates positions.
        seed: Random seed of the agents' choices.
    """

    mode: Mode
    session: Session
    thinkers: tuple[Thinker | None, Thinker | None]
    adviser: Thinker
    seed: int
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    touched: float = 0.0


class Store:
    """Keeps games by id. If there is no room, the least recently used game is dropped; old games are dropped too.

    Args:
        most: Largest number of games kept.
        idle_s: Seconds after which a game that nobody asks for is dropped.
        clock: Returns seconds that never decrease.
    """

    def __init__(self, most: int = 200, idle_s: float = 86_400.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.idle_s = idle_s
        self._clock = clock
        self._games: OrderedDict[str, Hosted] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        return len(self._games)

    def add(self, game: Hosted) -> str:
        """Adds a game and returns its id."""
        self._drop_old()
        while len(self._games) >= self.most:
            self._games.popitem(last=False)
        key = secrets.token_urlsafe(12)
        game.touched = self._clock()
        self._games[key] = game
        return key

    def get(self, key: str) -> Hosted | None:
        """Returns the game of that id. None: it is unknown or was dropped."""
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
