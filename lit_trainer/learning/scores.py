"""Adds up the results of evaluation matches by opponent, over all batches and processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lit_trainer.measuring.matches import Match, Tested, by_simulations
from lit_trainer.measuring.metrics import MatchResult, MatchScore, WinRate


class MatchScores:
    """Adds up matches by what their batches say of them, whatever loaders the batches come from.

    A batch is a mapping with

    - `opponent`: The opponent's name.
    - `outcome`: Outcomes [n] for the measured player, whole numbers -1, 0 or 1.
    - `margin`: Margins [n], the player's score less the opponent's. Games 2k and 2k + 1 then share a deal. Optional:
      Without it only the score is measured, game by game.
    - `key`: Keys [n] of games with margins, equal where games went alike. Optional: Without it all games differ.
    - `simulations`: Simulations per move of the measured player. Optional, default 0.
    - `opponent_model`: What the measured player knows of the opponent. Optional, default "none".
    """

    def __init__(self) -> None:
        self._metrics: dict[Match, MatchScore | WinRate] = {}

    def update(self, batch: Mapping[str, Any]) -> None:
        """Adds the games of one batch.

        Args:
            batch: Names and tensors as described above.

        Raises:
            ValueError: The batch is no mapping or lacks `opponent` or `outcome`, or an outcome is not -1, 0 or 1.
        """
        if not isinstance(batch, Mapping):
            raise ValueError(
                f"evaluation batch: a {type(batch).__name__} found, expected a mapping with `opponent` and `outcome`"
            )
        for key, kind in (("opponent", str), ("outcome", Tensor)):
            if not isinstance(batch.get(key), kind):
                found = type(batch[key]).__name__ if key in batch else "nothing"
                raise ValueError(f"evaluation batch: {found} found at {key!r}, expected a {kind.__name__}")
        outcomes: Tensor = batch["outcome"]
        margins: Tensor | None = batch.get("margin")
        match = Match(int(batch.get("simulations", 0)), batch["opponent"], str(batch.get("opponent_model", "none")))
        metric = self._metric(match, margins is not None, outcomes.device)
        metric.update(*(outcomes,) if isinstance(metric, WinRate) else (outcomes, margins, batch.get("key")))

    def _metric(self, match: Match, paired: bool, device: torch.device) -> MatchScore | WinRate:
        if match not in self._metrics:
            self._metrics[match] = (MatchScore() if paired else WinRate()).to(device)
        return self._metrics[match]

    def results(self, device: torch.device) -> dict[Match, MatchResult]:
        """Returns the result of each match over all processes. All processes must call it.

        The matches stand in the order in which they were first met.

        Args:
            device: Device of the module, on which processes add up their counts.
        """
        known = [(match, isinstance(metric, MatchScore)) for match, metric in self._metrics.items()]
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            known = self._known_anywhere(known, device)
        return {match: self._metrics[match].compute() for match, _ in known}

    def _known_anywhere(self, known: list[tuple[Match, bool]], device: torch.device) -> list[tuple[Match, bool]]:
        """Returns the matches of all processes, in one order, once this process has a metric for each.

        Metrics are added up one after another, so a process without one of them would wait for another forever.
        """
        gathered: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(gathered, known)
        union = list(dict.fromkeys((Match(*match), paired) for part in gathered for match, paired in part))
        for match, paired in union:
            if match not in self._metrics:
                metric = self._metric(match, paired, device)
                none = torch.zeros(0, dtype=torch.long, device=device)
                metric.update(*(none, none) if paired else (none,))
        return union


def logged_models(models: Mapping[str, Mapping[str, MatchResult]]) -> dict[str, float]:
    """Returns the scores of a validation that are logged with every model but the first, as ``val/MODEL/NAME``."""
    others = list(models.items())[1:]
    return {f"val/{model}/{name}": result.score for model, results in others for name, result in results.items()}


def logged_tests(tested: Tested) -> Iterator[tuple[str, Mapping[str, MatchResult]]]:
    """Yields how names begin under which a test is logged, and the results by opponent that are logged so.

    Names begin with ``test/sims_N``, those of every model but the first with ``test/MODEL/sims_N``. The same without
    ``sims_N`` are of the first number of simulations.
    """
    first, short = next((match.opponent_model for match in tested), "none"), set()
    for simulations, models in by_simulations(tested).items():
        for model, results in models.items():
            start = "test" if model == first else f"test/{model}"
            if start not in short:
                short.add(start)
                yield start, results
            yield f"{start}/sims_{simulations}", results
