"""Keeps a run's opponents by their short names, and hands them to other processes."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from lit_trainer.players.engine_players import builtin_names
from lit_trainer.players.frozen import FrozenCheckpoint, make_frozen
from lit_trainer.players.protocols import Opponent
from lit_trainer.players.python_player import PythonOpponent
from lit_trainer.players.specs import PAST, SELF_PLAY, check_plays, make, parse, past_name
from sim_core import AgentModel, get_game


class Roster(Mapping[str, Opponent]):
    """Keeps opponents by the short names under which their results are logged. No two have the same name.

    Args:
        agents: Opponents written in Python, by name: each an object with ``select_action(state, legal_actions)``, or
            ``{class_path: package.module.Class, init_args: {...}}``.
        checkpoints: Opponents that are networks and never change, by name: each
            ``{path: FILE.ckpt, simulations: 0, temperature: 0.0}``, of which only the path is required.
        time_limit: Seconds per move of an agent written in Python. None: no limit.

    Raises:
        FileNotFoundError: A checkpoint does not exist.
        ValueError: A name means another player, an agent cannot be made, or a checkpoint is damaged.
    """

    def __init__(
        self,
        agents: Mapping[str, Any] | None = None,
        checkpoints: Mapping[str, Any] | None = None,
        time_limit: float | None = None,
    ) -> None:
        agents, checkpoints = agents or {}, checkpoints or {}
        for field, names in (("agents", agents), ("checkpoints", checkpoints)):
            for name in names:
                _check_free(name, field)
        if both := sorted(agents.keys() & checkpoints.keys()):
            raise ValueError(f"checkpoints: {both[0]} is the name of an agent; give another")
        self.time_limit = time_limit
        self._opponents: dict[str, Opponent] = {}
        self._opponents |= {name: make_frozen(name, given) for name, given in checkpoints.items()}
        self._opponents |= {name: PythonOpponent(name, given, time_limit) for name, given in agents.items()}
        self._given: dict[str, str] = {}
        """Short name to the name that was given for it."""
        self._read: dict[str, FrozenCheckpoint] = {}

    def __getitem__(self, name: str) -> Opponent:
        return self._opponents[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._opponents)

    def __len__(self) -> int:
        return len(self._opponents)

    def copy(self) -> Roster:
        """Returns a roster of the same opponents, to which others can be added."""
        copied = Roster(time_limit=self.time_limit)
        copied._opponents, copied._given, copied._read = dict(self._opponents), dict(self._given), dict(self._read)
        return copied

    def enlist(self, names: Sequence[str], field: str, game: str | None = None) -> tuple[str, ...]:
        """Adds the opponents of these names if they are missing, and returns their short names.

        Args:
            names: Short names of opponents on the roster, or players' names (`lit_trainer.players.specs` lists the
                kinds).
            field: Setting that holds the names, for messages.
            game: Game that all must play. None: any.

        Raises:
            ValueError: A name is unknown, stands twice, or is the short name of two; or one plays another game.
        """
        enlisted = tuple(self._enlist(name, field) for name in names)
        for place, name in enumerate(enlisted):
            if name in enlisted[:place]:
                raise ValueError(f"{field}: a name stands twice in {', '.join(map(str, names))}")
        if game is not None:
            for name in enlisted:
                check_plays(self._opponents[name], game, field)
        return enlisted

    def _enlist(self, given: str, field: str) -> str:
        if isinstance(given, str) and given in self._opponents:
            return given
        spec = parse(given, field, known=tuple(name for name in self._opponents if name not in builtin_names()))
        name = spec.name
        if spec.kind in ("checkpoint", "agent"):
            _check_free(name, field)
        if name not in self._opponents:
            self._opponents[name] = make(spec, field, time_limit=self.time_limit, read=self._read)
            self._given[name] = given
        elif self._given.get(name, name) != given:
            raise ValueError(
                f"{field}: {given!r} would be called {name}, as {self._given.get(name, name)!r} is; "
                "name one of them by `agents` or `checkpoints` of the opponent pool"
            )
        return name

    def tellable(self, game: str) -> frozenset[str]:
        """Returns the names of the opponents that a search can be told: built-in ones, and agents that are a model.

        Args:
            game: Name of the game.
        """
        agents = {k: opponent.agent for k, opponent in self._opponents.items() if isinstance(opponent, PythonOpponent)}
        models = (name for name, agent in agents.items() if isinstance(agent, AgentModel))
        return frozenset((*get_game(game).opponents, *models))

    def to(self, device: torch.device) -> Roster:
        """Moves all networks to the device, and returns the roster."""
        for opponent in self._opponents.values():
            if isinstance(opponent, FrozenCheckpoint):
                opponent.network.to(device)
        return self


def _check_free(name: str, field: str) -> None:
    """Raises ValueError for a name that stands for another player."""
    if name in (SELF_PLAY, PAST) or name.startswith(past_name("")):
        raise ValueError(f"{field}: {name} stands for self-play or a past checkpoint; give another name")
    if name in builtin_names():
        raise ValueError(f"{field}: {name} is the name of a built-in opponent; give another")
    if name.partition(":")[0] == "ismcts":
        parse(name, field)
        raise ValueError(f"{field}: {name} stands for tree search; give another name")


def pickled(opponents: Mapping[str, Opponent]) -> dict[str, bytes]:
    """Returns the opponents in the form in which worker processes get them.

    An agent that was given by its class path is sent as that path. A network is sent with its weights, because its file
    may change.

    Raises:
        ValueError: Names an opponent that cannot be sent to another process.
    """
    sent = {}
    for name, opponent in opponents.items():
        made = _made_of(opponent)
        field = "agents" if isinstance(opponent, PythonOpponent) else "checkpoints"
        if type(made).__module__ == "__main__":
            raise ValueError(
                f"{field}: {name} is a __main__.{type(made).__qualname__}, which worker processes cannot import; "
                "move its class into a module, or set data.workers to null"
            )
        if isinstance(opponent, FrozenCheckpoint):
            opponent = opponent.on_cpu()
        try:
            sent[name] = pickle.dumps(opponent)
        except Exception as error:  # whatever the agent's own pickling raises
            raise ValueError(
                f"{field}: {name} ({type(made).__name__}) cannot be sent to worker processes: {error}; "
                "give it by class_path, or set data.workers to null"
            ) from error
    return sent


def _made_of(opponent: Opponent) -> object:
    """Returns the agent or network that an opponent consists of, or the opponent itself if the engine plays it."""
    if isinstance(opponent, PythonOpponent):
        return opponent.agent
    return opponent.network if isinstance(opponent, FrozenCheckpoint) else opponent
