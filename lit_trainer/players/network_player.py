"""A policy-value network as a player, with or without search."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_trainer.networks.evaluators import Evaluator, Floats
from lit_trainer.players.protocols import Ids, Moves
from sim_core import GameBatch, Searcher, SearchResult, SearchSettings


def sharpen(policy: Floats, temperature: float) -> Floats:
    """Each row to the power 1 / temperature, normalised; temperature 0 puts all on the first best action."""
    if temperature == 0.0:
        best = np.zeros_like(policy)
        best[np.arange(len(policy)), policy.argmax(axis=1)] = 1.0
        return best
    if temperature == 1.0:
        return policy
    scaled = np.power(policy / policy.max(axis=1, keepdims=True), 1.0 / temperature, dtype=np.float32)
    result: Floats = scaled / scaled.sum(axis=1, keepdims=True)
    return result


def sample_rows(policy: Floats, uniforms: NDArray[np.float64]) -> Ids:
    """One action a row by inverse transform of a uniform number; never one of probability zero."""
    cumulative = np.cumsum(policy, axis=1, dtype=np.float64)
    picked = (cumulative <= (uniforms * cumulative[:, -1])[:, None]).sum(axis=1)
    # rounding may point past the last action that can be chosen
    last = policy.shape[1] - 1 - (policy[:, ::-1] > 0).argmax(axis=1)
    chosen: Ids = np.minimum(picked, last).astype(np.int64)
    return chosen


class NetworkPlayer:
    """A policy-value network, searching or playing its policy.

    Args:
        evaluator: the network, e.g. a `TorchEvaluator`.
        simulations: simulations a move; 0 plays the network's policy.
        temperature: of the visit shares (or the policy) that actions are sampled from; 0 takes the best. With a Gumbel
            root it scales the root's noise.
        seed: of determinizations, root noise and sampling.
        threads: threads in all.
        settings: of the search.
        changes: fields of `SearchSettings` that are to differ from `settings`, e.g. ``c_puct=2.0``.

    Raises:
        ValueError: names the argument that is out of range.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        *,
        simulations: int,
        temperature: float,
        seed: int,
        threads: int = 1,
        settings: SearchSettings | None = None,
        **changes: Any,
    ) -> None:
        if simulations < 0:
            raise ValueError(f"simulations: {simulations} given, expected 0 (policy alone) or more")
        if not 0.0 <= temperature < float("inf"):
            raise ValueError(f"temperature: {temperature} given, expected 0 (the best action) or more")
        self.evaluator = evaluator
        self.simulations = simulations
        self.temperature = temperature
        self.seed = seed
        self.threads = threads
        self.settings = dataclasses.replace(settings or SearchSettings(), **changes)
        if self.settings.root_selection == "gumbel":
            self.settings = dataclasses.replace(self.settings, gumbel_scale=temperature)
        self._searcher: Searcher | None = None

    def policy(self, batch: GameBatch) -> Floats:
        """The network's policy over legal actions, float32 [m, A]."""
        legal = batch.legal_mask()
        logits, _ = self.evaluator(batch.observe(), legal)
        if not np.isfinite(np.where(legal, logits, 0.0)).all():
            raise ValueError("evaluate: returned NaN or infinity for a legal action; have the weights diverged?")
        logits = np.where(legal, logits, -np.inf)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        policy: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return policy

    def search(self, batch: GameBatch) -> SearchResult:
        """Search the batch in trees that are kept from one call to the next."""
        if self._searcher is None or self._searcher.slots < len(batch) or self._searcher.game != batch.handle.name:
            self._searcher = Searcher(len(batch), self.simulations, game=batch.handle.name)
        return self._searcher.search(
            batch, self.evaluator, seed=self.seed, threads=self.threads, settings=self.settings
        )

    def act(self, batch: GameBatch) -> Moves:
        if self.simulations == 0:
            policy = self.policy(batch)
            return Moves(self._sampled(policy, batch), np.zeros_like(policy))
        found = self.search(batch)
        if self.temperature == 0.0 or self.settings.root_selection == "gumbel":
            return Moves(found.actions, found.policy, found.value)
        return Moves(self._sampled(found.policy, batch), found.policy, found.value)

    def _sampled(self, policy: Floats, batch: GameBatch) -> Ids:
        return sample_rows(sharpen(policy, self.temperature), batch.uniforms(self.seed))
