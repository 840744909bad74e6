"""Plays the games of a plan: what synchronous generation and the workers of asynchronous generation share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lit_trainer.evaluators import TorchEvaluator, make_evaluator
from lit_trainer.frozen import FrozenCheckpoint
from lit_trainer.game_generator import GeneratedGames, OpponentGames, generate_games_batched_by_opponent
from lit_trainer.ismcts import IsmctsPlayer, ismcts_iterations
from lit_trainer.lanes import LaneMemory
from lit_trainer.memory import memory_advice
from lit_trainer.networks import PolicyValueNetwork
from lit_trainer.opponent_pool import SELF_PLAY
from lit_trainer.players import Agent, BuiltinPlayer, NetworkPlayer, Player, PythonPlayer
from lit_trainer.seeding import derive_seed
from sim_core import SearchSettings


@dataclass(frozen=True)
class GenerationSettings:
    """How games are generated, as far as it stays the same for a whole run; `SelfPlayDataModule` explains each."""

    game: str
    simulations: int
    search: SearchSettings
    evaluator: str
    parallel_games: int
    threads: int
    value_target: str = "outcome"
    agent_time_limit: float | None = None


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


def play_games(
    settings: GenerationSettings,
    network: PolicyValueNetwork,
    plan: Mapping[str, int],
    *,
    temperature: float,
    seed: int,
    past: Mapping[str, PolicyValueNetwork],
    agents: Mapping[str, Agent],
    checkpoints: Mapping[str, FrozenCheckpoint] | None = None,
    memory: LaneMemory | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> GeneratedGames:
    """Play the games of a plan with a network's weights as they are.

    Args:
        settings: of the run.
        network: the learner; put into evaluation mode meanwhile.
        plan: opponent to games, see `OpponentPool.plan`.
        temperature: of the learner's visit shares.
        seed: of deals, searches and opponents; equal seeds play equal games.
        past: see `opponent_player`.
        agents: see `opponent_player`.
        checkpoints: see `opponent_player`.
        memory: of the lanes, kept from one call to the next; None: of this call's own.
        on_progress: told the games played so far, in part-games; what it raises ends the games.
    """
    opponents = []
    for name, count in plan.items():
        player = opponent_player(
            name,
            derive_seed(seed, name),
            agents,
            past,
            temperature,
            settings.threads,
            checkpoints,
            settings.agent_time_limit,
        )
        opponents.append(OpponentGames(name, count, player))
    advice = f"lower data.parallel_games (now {settings.parallel_games}) or, where there are workers, data.workers"
    with memory_advice("in self-play", advice), make_evaluator(network, settings.evaluator) as evaluate:
        learner = NetworkPlayer(
            evaluate,
            simulations=settings.simulations,
            temperature=temperature,
            seed=derive_seed(seed, "search"),
            threads=settings.threads,
            settings=settings.search,
        )
        return generate_games_batched_by_opponent(
            learner,
            opponents,
            game=settings.game,
            seed=seed,
            parallel_games=settings.parallel_games,
            value_target=settings.value_target,
            memory=memory,
            on_progress=on_progress,
        )


def join_games(parts: Sequence[GeneratedGames], workers: int) -> GeneratedGames:
    """The games of several chunks as one.

    Numbers of games, positions and seconds are added up; shares are means, weighted by a chunk's seconds; rates are
    those means times `workers`, which played side by side.
    """
    results: dict[str, tuple[int, int, int]] = {}
    for part in parts:
        for name, counts in part.results.items():
            wins, draws, losses = (a + b for a, b in zip(results.get(name, (0, 0, 0)), counts, strict=True))
            results[name] = (wins, draws, losses)
    seconds = [part.stats["seconds"] for part in parts]
    stats: dict[str, float] = {}
    for key in parts[0].stats:
        values = [part.stats.get(key, 0.0) for part in parts]
        if key in ("games", "positions", "seconds"):
            stats[key] = sum(values)
        else:
            mean = sum(v * s for v, s in zip(values, seconds, strict=True)) / max(sum(seconds), 1e-9)
            stats[key] = mean * workers if key.endswith("_per_second") else mean
    searched = [part.values for part in parts if part.values is not None]
    margins = [part.margins for part in parts if part.margins is not None]
    return GeneratedGames(
        states=np.concatenate([part.states for part in parts]),
        policies=np.concatenate([part.policies for part in parts]),
        outcomes=np.concatenate([part.outcomes for part in parts]),
        results=results,
        stats=stats,
        margins=np.concatenate(margins) if len(margins) == len(parts) else None,
        values=np.concatenate(searched) if len(searched) == len(parts) else None,
    )


class ChunkPlanner:
    """Cuts an iteration's plan into chunks.

    What a chunk's whole numbers leave out is owed to the next, so that a rare opponent is met as often as planned,
    within one game.

    >>> planner = ChunkPlanner()
    >>> [planner.next({"a": 7, "b": 1}, 2) for _ in range(4)]
    [{'a': 2}, {'a': 2}, {'a': 1, 'b': 1}, {'a': 2}]
    """

    def __init__(self) -> None:
        self._owed: dict[str, float] = {}

    def next(self, plan: Mapping[str, int], games: int) -> dict[str, int]:
        """The next chunk of so many games; the plan may change from chunk to chunk."""
        whole = sum(plan.values())
        # an opponent that left the plan is owed nothing more
        owed = {name: self._owed.get(name, 0.0) + games * count / whole for name, count in plan.items()}
        counts = {name: max(0, math.floor(share + 1e-9)) for name, share in owed.items()}
        while (missing := games - sum(counts.values())) != 0:
            step = 1 if missing > 0 else -1
            candidates = [name for name in counts if counts[name] + step >= 0]
            counts[max(candidates, key=lambda name: step * (owed[name] - counts[name]))] += step
        self._owed = {name: owed[name] - count for name, count in counts.items()}
        return {name: count for name, count in counts.items() if count}
