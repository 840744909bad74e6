"""Evaluation: a player against one opponent on mirrored deals, each deal from both seats."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from lit_trainer.players import Player
from sim_core import GameBatch


def play_match(
    player: Player,
    opponent: Player,
    games: int,
    *,
    game: str,
    seed: int,
    first: int = 0,
    parallel_games: int = 1024,
) -> tuple[np.ndarray, np.ndarray]:
    """Games 2k and 2k + 1 share a deal: the player sits first in one seat, then in the other.

    Args:
        player: whose games they are.
        opponent: the other side.
        games: how many.
        game: name of the game.
        seed: of the deals.
        first: number of the first game, so that several processes can share a match.
        parallel_games: games played side by side.

    Returns:
        outcomes int8 [games], -1, 0 or 1 for the player; margins int32 [games], the player's score less the other's.
    """
    outcomes = [np.zeros(0, dtype=np.int8)]
    margins = [np.zeros(0, dtype=np.int32)]
    for low in range(first, first + games, parallel_games):
        numbers = np.arange(low, min(low + parallel_games, first + games))
        deals, seats = numbers // 2, (numbers % 2).astype(np.int8)
        batch = GameBatch(len(numbers), seed, game=game, streams=deals, first_player=deals % 2)
        while not (over := batch.is_terminal).all():
            actions = np.full(len(numbers), -1, dtype=np.int64)
            mine = ~over & (batch.to_move == seats)
            for side, rows in ((player, np.flatnonzero(mine)), (opponent, np.flatnonzero(~over & ~mine))):
                if len(rows):
                    actions[rows] = side.act(batch.take(rows)).actions
            batch.step(actions)
        scores = batch.scores()
        sign = np.where(seats == 0, 1, -1)
        outcomes.append((batch.outcomes() * sign).astype(np.int8))
        margins.append(((scores[:, 0] - scores[:, 1]) * sign).astype(np.int32))
    return np.concatenate(outcomes), np.concatenate(margins)


class EvaluationDataset(IterableDataset[dict[str, Tensor]]):
    """One batch: the outcomes of a match, played when it is asked for.

    Args:
        name: the opponent's.
        play: plays the match and returns outcomes and margins [games], see `play_match`.
    """

    def __init__(self, name: str, play: Callable[[], tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__()
        self.name = name
        self._play = play

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        outcomes, margins = self._play()
        yield {"outcome": torch.from_numpy(outcomes), "margin": torch.from_numpy(margins)}
