"""Lets agents written in Python play batches of games."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np

from lit_trainer.players.histories import History
from lit_trainer.players.protocols import Agent, Moves
from sim_core import Action, AgentModel, GameBatch, State, c_state_to_python, games


class AgentTimeoutError(RuntimeError):
    """Tells that an agent written in Python took longer for a move than its limit."""


class PythonPlayer:
    """Asks an agent written in Python for one move after the other, on the hybrid path.

    Args:
        name: Name of the agent, for messages.
        agent: Object with ``select_action(state, legal_actions) -> Action``. If it has a parameter ``history``, too, it
            gets what was played so far, where that is known. If it is an `AgentModel`, others can expect it.
        time_limit: Seconds per answer; `play_schedule`, which watches the player, enforces it. None: no limit.
    """

    def __init__(self, name: str, agent: Agent, time_limit: float | None = None) -> None:
        self.name = name
        self.agent = agent
        self.remembers = _takes_history(agent)
        """Whether the agent takes what was played so far."""
        self.time_limit = time_limit
        self.asked = 0
        """Number of questions to the agent."""
        self.asked_for = "select_action"
        """Method of the newest question."""
        self.thinking_at: State | None = None
        """Position that the agent thinks about now. None: it is idle."""
        self.given_up = False
        """Whether the games no longer wait for a pending move; the agent is then asked for no further one."""

    def act(self, batch: GameBatch, histories: Sequence[History] | None = None) -> Moves:
        """Returns the agent's action for every game of the batch.

        Args:
            batch: Positions.
            histories: What was played before each of them. None: unknown.

        Raises:
            AgentTimeoutError: An earlier move took too long.
            ValueError: The agent returned an illegal action.
        """
        ids = np.empty(len(batch), dtype=np.int64)
        for i in range(len(batch)):
            state = c_state_to_python(batch, i)
            legal = state.legal_actions()
            known = {} if histories is None or not self.remembers else {"history": histories[i]}
            action = self._answer("select_action", state, legal, **known)
            if action not in legal:
                kind = "" if isinstance(action, Action) else f" of type {type(action).__name__}, not Action,"
                raise ValueError(
                    f"opponent {self.name}: select_action returned {action!r}{kind} at '{state}', "
                    f"legal are {' '.join(map(str, legal))}"
                )
            ids[i] = action.id
        return Moves(ids)

    def act_after(self, batch: GameBatch, histories: Sequence[History]) -> Moves:
        """Returns the agent's action for every game of the batch, see `act`."""
        return self.act(batch, histories)

    @property
    def model(self) -> PythonPlayer | None:
        """Returns the player if its agent says how likely it plays each action. Then searches can expect it."""
        return self if isinstance(self.agent, AgentModel) else None

    def action_probabilities(self, state: State) -> Mapping[Action, float]:
        """Returns the agent's probabilities in a position; the engine checks them."""
        answer: Mapping[Action, float] = self._answer("action_probabilities", state)
        return answer

    def _answer(self, method: str, state: State, *given: Any, **known: Any) -> Any:
        """Returns what a method of the agent answers."""
        if self.given_up:
            raise AgentTimeoutError(f"opponent {self.name}: is asked no more, because an earlier move did not end")
        self.asked += 1
        self.asked_for, self.thinking_at = method, state
        try:
            return getattr(self.agent, method)(state, *given, **known)
        except Exception as error:
            error.add_note(f"opponent {self.name}: {method} raised this at '{state}'")
            raise
        finally:
            self.thinking_at = None


def _takes_history(agent: Agent) -> bool:
    try:
        return "history" in signature(agent.select_action).parameters
    except (TypeError, ValueError):
        return False  # compiled, without a signature


class PythonOpponent:
    """Makes players of one agent written in Python; they share the agent.

    It can be pickled if `source` can: another process makes the agent again from its source.

    Args:
        name: Short name of the opponent.
        source: The agent itself, or ``{class_path: package.module.Class, init_args: {...}}``.
        time_limit: Seconds per move. None: no limit.
        field: Setting that named the agent, for messages.
        given: The name as the setting gives it, for messages. None: `name`.

    Raises:
        ValueError: The agent cannot be made, or has no `select_action`.
    """

    def __init__(
        self,
        name: str,
        source: Any,
        time_limit: float | None = None,
        field: str = "agents",
        given: str | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.time_limit = time_limit
        self.agent = make_agent(given or name, source, field)

    @property
    def games(self) -> tuple[str, ...]:
        """Returns all games: which of them the agent can play, only the agent knows."""
        return games()

    def player(self, seed: int, threads: int = 1) -> PythonPlayer:
        """Returns a player; `seed` and `threads` have no effect, because the agent keeps its own state."""
        return PythonPlayer(self.name, self.agent, self.time_limit)

    def __reduce__(self) -> tuple[type[PythonOpponent], tuple[str, Any, float | None]]:
        return PythonOpponent, (self.name, self.source, self.time_limit)


def make_agent(name: str, source: Any, field: str = "agents") -> Agent:
    """Returns the agent; makes it if a class path was given.

    Args:
        name: Name of the agent, for messages.
        source: The agent itself, or ``{class_path: package.module.Class, init_args: {...}}``.
        field: Setting that named the agent, for messages.

    Raises:
        ValueError: The agent cannot be made, or has no `select_action`.
    """
    if isinstance(source, Mapping):
        if unknown := sorted(map(str, source.keys() - {"class_path", "init_args"})):
            raise ValueError(f"{field}.{name}: {unknown[0]} given, expected {{class_path: ..., init_args: {{...}}}}")
        try:
            module, _, class_name = source["class_path"].rpartition(".")
            source = getattr(import_module(module), class_name)(**source.get("init_args", {}))
        except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{field}: {name} cannot be made from {dict(source)}: {error!r}; "
                "expected {class_path: package.module.Class, init_args: {...}}"
            ) from error
    if not isinstance(source, Agent) or not callable(source.select_action):
        raise ValueError(f"{field}: {name} ({type(source).__name__}) has no select_action(state, legal_actions)")
    return source
