"""Feeds Lightning's loaders: batches of self-play positions for training, matches for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.measuring.matches import Match, PlayedMatch
from lit_trainer.utils.seeding import derive_seed


class EvaluationDataset(IterableDataset[dict[str, Any]]):
    """Yields one batch: a match's games, which are played when the batch is asked for.

    The batch holds `opponent` (a name), `simulations` (of the measured player, per move), `opponent_model` (what it
    knows of the opponent), `outcome` int8 [games], `margin` int32 [games] and `key` int64 [games].

    Args:
        match: Opponent, simulations and what is known of the opponent.
        play: Plays the match, see `play_match`.
    """

    def __init__(self, match: Match, play: Callable[[], PlayedMatch]) -> None:
        super().__init__()
        self.match = match
        self._play = play

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        played = self._play()
        yield {
            "opponent": self.match.opponent,
            "simulations": self.match.simulations,
            "opponent_model": self.match.opponent_model,
            "outcome": torch.from_numpy(played.outcomes),
            "margin": torch.from_numpy(played.margins),
            "key": torch.from_numpy(played.keys),
        }


class SelfPlayDataset(IterableDataset[dict[str, Tensor]]):
    """Plays an iteration's games at the start of each pass, then yields batches drawn from the replay window.

    Its length is known, because Lightning would otherwise take a batch before the weights are those of the iteration.

    Args:
        replay: Replay window, to which `refill` adds positions.
        refill: Plays the games of an iteration with the current weights.
        iteration: Returns the current iteration. It is called at the start of each pass.
        steps_per_iteration: Batches per pass.
        batch_size: Positions per batch.
        seed: Random seed of the sampling.
        rank: Number of this process. Processes play and sample differently.
        check: Called before each batch. What it raises ends the pass.
        auxiliary: Whether batches hold the targets of a network's auxiliary heads.
        hide_condition: Share of positions whose condition is left out, see `ReplayWindow.sample`.
    """

    def __init__(
        self,
        replay: ReplayWindow,
        refill: Callable[[int], None],
        iteration: Callable[[], int],
        steps_per_iteration: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        check: Callable[[], None] = lambda: None,
        auxiliary: bool = False,
        hide_condition: float = 0.0,
    ) -> None:
        super().__init__()
        self.replay = replay
        self.refill = refill
        self.iteration = iteration
        self.steps_per_iteration = steps_per_iteration
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.check = check
        self.auxiliary = auxiliary
        self.hide_condition = hide_condition

    def __len__(self) -> int:
        return self.steps_per_iteration

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        iteration = self.iteration()
        self.refill(iteration)
        generator = np.random.Generator(np.random.PCG64(derive_seed(self.seed, "replay", iteration, self.rank)))
        for _ in range(self.steps_per_iteration):
            self.check()
            yield self.replay.sample(
                self.batch_size, generator, auxiliary=self.auxiliary, hide_condition=self.hide_condition
            )


def match_loaders(
    matches: Sequence[Match], play: Callable[[Match], PlayedMatch], tellable: Container[str]
) -> list[DataLoader[Any]]:
    """Returns a loader for each match. Two matches with the same games are played once.

    Args:
        matches: Matches, in the order in which the loaders are asked.
        play: Plays a match.
        tellable: Names of the opponents of which there is something to tell.
    """
    kept: dict[Match, tuple[Match, PlayedMatch]] = {}

    def games_of(match: Match) -> PlayedMatch:
        same = match.without_idle_model(tellable)
        if same not in matches:
            return play(match)
        asker, games = kept.pop(same, (match, None))
        if games is None or asker == match:  # asked once more: by now the weights may be others
            games = play(same)
            kept[same] = match, games
        return games

    return [loader_of(EvaluationDataset(match, partial(games_of, match))) for match in matches]


def loader_of(dataset: IterableDataset[Any]) -> DataLoader[Any]:
    """Returns a loader of a data set that yields whole batches."""
    return DataLoader(dataset, batch_size=None)
