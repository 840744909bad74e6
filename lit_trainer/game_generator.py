"""Plays a learner's games against itself and its opponents, side by side in one batch, and keeps its positions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lit_trainer.evaluators import Floats
from lit_trainer.players import NetworkPlayer, Player
from sim_core import GameBatch, get_game


class OpponentGames(NamedTuple):
    """So many games against one opponent."""

    name: str
    games: int
    player: Player | None
    """None: the learner itself, which then plays both seats."""


@dataclass
class GeneratedGames:
    """Positions in which the learner moved, and how its games ended."""

    states: NDArray[np.uint8]
    """Packed positions [m, state_size]."""
    policies: Floats
    """Policy targets [m, A]; rows of zeros where there is none."""
    outcomes: NDArray[np.int8]
    """Outcome for the player to move [m]: -1, 0, 1."""
    results: dict[str, tuple[int, int, int]]
    """Opponent to the learner's (wins, draws, losses); of self-play, player 0's."""
    stats: dict[str, float] = field(default_factory=dict)
    """Games, positions and evaluations a second, and shares of the time."""


def _schedule(opponents: Sequence[OpponentGames]) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Each game's opponent (index) and the learner's seat; every opponent is met from both seats in turn."""
    counts = [entry.games for entry in opponents]
    index = np.repeat(np.arange(len(opponents)), counts)
    seats = np.concatenate([np.arange(count) % 2 for count in counts]) if counts else np.zeros(0)
    return index, seats.astype(np.int8)


def generate_games_batched_by_opponent(
    learner: NetworkPlayer,
    opponents: Sequence[OpponentGames],
    *,
    game: str,
    seed: int,
    parallel_games: int = 1024,
    on_progress: Callable[[float], None] | None = None,
) -> GeneratedGames:
    """Play all games in batches: the learner's moves of all of them in one search, each opponent type's in one call.

    Args:
        learner: the network that learns; its moves become positions.
        opponents: how many games against whom.
        game: name of the game.
        seed: of the deals; game i is dealt from stream i.
        parallel_games: games played side by side.
        on_progress: told the games played so far, in part-games, as they go on.

    Raises:
        ValueError: names the argument that is out of range.
    """
    if parallel_games < 1:
        raise ValueError(f"parallel_games: {parallel_games} given, expected at least 1")
    for entry in opponents:
        if entry.games < 0:
            raise ValueError(f"opponents: {entry.games} games against {entry.name} given, expected 0 or more")
    rules = get_game(game)
    started = time.perf_counter()
    forward_before, evaluations_before = learner.forward_seconds, learner.evaluations
    index, seats = _schedule(opponents)
    total = len(index)
    # opponents' games are spread over all batches, so that each batch is a fair share of the work
    order = np.argsort(np.arange(total) * 0.6180339887498949 % 1.0, kind="stable")
    is_self = np.array([entry.player is None for entry in opponents], dtype=bool)
    final = np.zeros(total, dtype=np.int8)
    states: list[NDArray[np.uint8]] = []
    policies: list[Floats] = []
    games_of: list[NDArray[np.int64]] = []
    movers: list[NDArray[np.int8]] = []
    opponent_seconds = 0.0
    for low in range(0, total, parallel_games):
        numbers = np.sort(order[low : low + parallel_games])
        batch = GameBatch(
            len(numbers), seed, game=game, streams=numbers, first_player=(numbers // 2 % 2).astype(np.int64)
        )
        while not (over := batch.is_terminal).all():
            to_move = batch.to_move
            learners = ~over & (is_self[index[numbers]] | (to_move == seats[numbers]))
            actions = np.full(len(numbers), -1, dtype=np.int64)
            rows = np.flatnonzero(learners)
            if len(rows):
                taken = batch.take(rows)
                moves = learner.act(taken)
                actions[rows] = moves.actions
                states.append(taken.packed())
                assert moves.policy is not None  # a network always has one
                policies.append(moves.policy)
                games_of.append(numbers[rows])
                movers.append(to_move[rows])
            opponents_start = time.perf_counter()
            waiting = ~over & ~learners
            for k in np.unique(index[numbers[waiting]]):
                rows = np.flatnonzero(waiting & (index[numbers] == k))
                player = opponents[k].player
                assert player is not None
                actions[rows] = player.act(batch.take(rows)).actions
            opponent_seconds += time.perf_counter() - opponents_start
            batch.step(actions)
            if on_progress is not None:
                # a game that ends early counts whole
                on_progress(low + float(np.where(batch.is_terminal, 1.0, batch.ply / rules.max_plies).sum()))
        final[numbers] = batch.outcomes()
    seconds = time.perf_counter() - started
    positions = sum(len(part) for part in states)
    evaluations = learner.evaluations - evaluations_before
    results = {}
    for k, entry in enumerate(opponents):
        mine = final[index == k] * np.where(is_self[k] | (seats[index == k] == 0), 1, -1)
        results[entry.name] = (int((mine == 1).sum()), int((mine == 0).sum()), int((mine == -1).sum()))
    mover = np.concatenate(movers) if movers else np.zeros(0, dtype=np.int8)
    ends = final[np.concatenate(games_of)] if games_of else np.zeros(0, dtype=np.int8)
    return GeneratedGames(
        states=np.concatenate(states) if states else np.zeros((0, rules.state_size), dtype=np.uint8),
        policies=np.concatenate(policies) if policies else np.zeros((0, rules.num_actions), np.float32),
        outcomes=np.where(mover == 0, ends, -ends).astype(np.int8),
        results=results,
        stats={
            "games": float(total),
            "positions": float(positions),
            "seconds": seconds,
            "games_per_second": total / max(seconds, 1e-9),
            "positions_per_second": positions / max(seconds, 1e-9),
            "evaluations_per_second": evaluations / max(seconds, 1e-9),
            "forward_share": (learner.forward_seconds - forward_before) / max(seconds, 1e-9),
            "opponent_share": opponent_seconds / max(seconds, 1e-9),
        },
    )
