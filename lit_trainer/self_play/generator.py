"""Plays the games of a plan with a network's weights as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import make_evaluator
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Opponent
from lit_trainer.players.specs import SELF_PLAY
from lit_trainer.self_play.games import GeneratedGames, OpponentGames, generate_games_batched_by_opponent
from lit_trainer.self_play.lanes import LaneMemory
from lit_trainer.self_play.settings import GenerationSettings
from lit_trainer.utils.memory import memory_advice
from lit_trainer.utils.seeding import derive_seed


def play_games(
    settings: GenerationSettings,
    network: PolicyValueNetwork,
    plan: Mapping[str, int],
    *,
    temperature: float,
    seed: int,
    opponents: Mapping[str, Opponent],
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
        opponents: Opponents of the plan by name, see `OpponentPool.players_of`.
        memory: of the lanes, kept from one call to the next; None: of this call's own.
        on_progress: told the games played so far, in part-games; what it raises ends the games.
    """
    sides = [
        OpponentGames(
            name,
            count,
            None if name == SELF_PLAY else opponents[name].player(derive_seed(seed, name), settings.threads),
        )
        for name, count in plan.items()
    ]
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
            sides,
            game=network.game,
            seed=seed,
            parallel_games=settings.parallel_games,
            value_target=settings.value_target,
            memory=memory,
            on_progress=on_progress,
        )
