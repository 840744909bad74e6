"""Lanes: what two threads play side by side is what one thread plays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer import ResidualMLP, generate_games_batched_by_opponent, make_evaluator
from lit_trainer.game_generator import GeneratedGames, OpponentGames
from lit_trainer.lanes import LaneMemory
from lit_trainer.opponent_pool import SELF_PLAY
from lit_trainer.players import BuiltinPlayer, NetworkPlayer
from sim_core import GameBatch, search


def network() -> ResidualMLP:
    """Of some weight in every layer: a new one's residual branches are zero."""
    torch.manual_seed(1)
    made = ResidualMLP(width=64, blocks=2)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


NETWORK = network()
OPPONENTS = [OpponentGames(SELF_PLAY, 100, None), OpponentGames("online", 60, BuiltinPlayer("online", 3))]


def played(threads: int, kind: str = "torch", memory: LaneMemory | None = None, **options: Any) -> GeneratedGames:
    with make_evaluator(NETWORK, kind) as evaluate:
        learner = NetworkPlayer(
            evaluate, simulations=8, temperature=1.0, seed=5, threads=threads, dirichlet_fraction=0.25
        )
        return generate_games_batched_by_opponent(
            learner, OPPONENTS, game="beasty_bar", seed=7, parallel_games=64, memory=memory, **options
        )


def same(first: GeneratedGames, second: GeneratedGames) -> bool:
    parts = ("states", "policies", "outcomes")
    return first.results == second.results and all(
        np.array_equal(getattr(first, part), getattr(second, part)) for part in parts
    )


@pytest.mark.parametrize("kind", ["torch", "onnx_fp32"])
def test_threads_change_nothing(kind: str) -> None:
    """Memory that two lanes share shows in every second move, and differently each time."""
    before = torch.get_num_threads()
    alone = played(1, kind)
    memory = LaneMemory()
    for _ in range(3):
        assert same(played(2, kind, memory), alone)
    assert torch.get_num_threads() == before


def test_lanes_play_what_search_plays() -> None:
    """Each kept policy is that of a search of the kept position alone, with the game's own stream."""
    games = 64
    with make_evaluator(NETWORK) as evaluate:
        learner = NetworkPlayer(evaluate, simulations=8, temperature=1.0, seed=5, threads=2, dirichlet_fraction=0.25)
        found = generate_games_batched_by_opponent(
            learner, [OpponentGames(SELF_PLAY, games, None)], game="beasty_bar", seed=7, parallel_games=games
        )
        numbers = np.argsort(np.arange(games) * 0.6180339887498949 % 1.0, kind="stable")
        streams = np.concatenate([numbers[0::2], numbers[1::2]])  # lane by lane, game by game
        for ply in (0, 1, 7, 15):
            batch = GameBatch.from_packed(found.states[ply::24], streams=streams)
            assert (batch.ply == ply).all()
            alone = search(batch, evaluate, 8, seed=5, dirichlet_fraction=0.25)
            assert np.array_equal(alone.policy, found.policies[ply::24])


def test_an_error_ends_both_lanes() -> None:
    calls = []

    def failing(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        calls.append(threading.current_thread().name)
        if len(calls) > 20:
            raise KeyError("weights")
        return np.zeros(legal_mask.shape, np.float32), np.zeros(len(observations), np.float32)

    learner = NetworkPlayer(failing, simulations=8, temperature=1.0, seed=5, threads=2)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="weights"):
        generate_games_batched_by_opponent(learner, OPPONENTS, game="beasty_bar", seed=7, parallel_games=64)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def test_what_progress_raises_ends_the_games() -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        played(2, on_progress=interrupt)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def test_mirrored_deals_are_played_from_both_seats() -> None:
    with make_evaluator(NETWORK) as evaluate:
        learner = NetworkPlayer(evaluate, simulations=0, temperature=1.0, seed=5)
        found = generate_games_batched_by_opponent(
            learner,
            [OpponentGames("random", 40, BuiltinPlayer("random", 3))],
            game="beasty_bar",
            seed=7,
            mirrored=True,
        )
    batch = GameBatch.from_packed(found.states)
    hands = [tuple(sorted(str(batch.state(i)).split()[3].lower())) for i in range(len(batch)) if batch.ply[i] == 0]
    assert len(hands) == 20 and len(set(hands)) == 20  # the learner moves first in one game of each deal
