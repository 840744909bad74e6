"""Makes a player from its name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.engine_players import BuiltinPlayer, IsmctsPlayer
from lit_trainer.players.frozen import FrozenCheckpoint
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Agent, Player
from lit_trainer.players.python_player import PythonPlayer
from sim_core.tree_search.settings import MAX_SIMULATIONS

SELF_PLAY = "self_play"
PAST = "past"
"""All past checkpoints together, in what is logged."""


def past_name(iteration: int | str) -> str:
    """The name of a past checkpoint among the opponents of an iteration."""
    return f"{PAST}_{iteration}"


def ismcts_iterations(field: str, name: str) -> int | None:
    """The N of a name ``ismcts:N``; None where the name is of another kind.

    Args:
        field: the argument the name was given for, for messages.
        name: an opponent's name.

    Raises:
        ValueError: the name begins like one, but N is missing, no whole number, or out of range.

    >>> ismcts_iterations("opponents", "ismcts:1000")
    1000
    """
    if not isinstance(name, str) or name.partition(":")[0] != "ismcts":
        return None
    # one way to write a number, so that one player has one name
    if not re.fullmatch(r"ismcts:[1-9][0-9]{0,9}", name) or int(name[7:]) > MAX_SIMULATIONS:
        raise ValueError(
            f"{field}: {name!r} given, expected ismcts:N with N iterations a move, 1 to {MAX_SIMULATIONS:,}"
        )
    return int(name[7:])


def opponent_player(
    name: str,
    seed: int,
    agents: Mapping[str, Agent],
    past: Mapping[str, PolicyValueNetwork] | None = None,
    temperature: float = 1.0,
    threads: int = 1,
    checkpoints: Mapping[str, FrozenCheckpoint] | None = None,
    agent_time_limit: float | None = None,
) -> Player | None:
    """The player behind a name of a pool's plan; None for the learner itself.

    Args:
        name: `SELF_PLAY`, a key of `past`, `agents` or `checkpoints`, ``ismcts:N``, or a built-in opponent.
        seed: of its random choices.
        agents: opponents written in Python, by name.
        past: past checkpoints' networks in evaluation mode, by name.
        temperature: a past checkpoint samples from its policy at; 0 stands for 1.
        threads: for opponents that search.
        checkpoints: opponents that are networks and never change, by name.
        agent_time_limit: seconds an agent may take for a move; None: for ever.
    """
    if name == SELF_PLAY:
        return None
    if name in agents:
        return PythonPlayer(name, agents[name], agent_time_limit)
    if checkpoints is not None and name in checkpoints:
        return checkpoints[name].player(seed, threads)
    if past is not None and name in past:
        # the past plays its policy: as many kinds of games at a thirtieth of the cost
        return NetworkPlayer(TorchEvaluator(past[name]), simulations=0, temperature=temperature or 1.0, seed=seed)
    if (iterations := ismcts_iterations("opponents", name)) is not None:
        return IsmctsPlayer(iterations, seed, threads)
    return BuiltinPlayer(name, seed)
