"""Plays a policy-value network, with or without search."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_trainer.networks.condition import condition_of, with_condition
from lit_trainer.networks.evaluators import Evaluator, Floats
from lit_trainer.players.histories import HandBeliefs, History, beliefs_of
from lit_trainer.players.protocols import Ids, Moves, assumed_opponent
from sim_core import AgentModel, GameBatch, Searcher, SearchResult, SearchSettings, State


def sharpen(policy: Floats, temperature: float) -> Floats:
    """Returns each row to the power 1 / temperature, normalised. Temperature 0 puts all on the first best action."""
    if temperature == 0.0:
        best = np.zeros_like(policy)
        best[np.arange(len(policy)), policy.argmax(axis=1)] = 1.0
        return best
    if temperature == 1.0:
        return policy
    scaled = np.power(policy / policy.max(axis=1, keepdims=True), 1.0 / temperature, dtype=np.float32)
    result: Floats = scaled / scaled.sum(axis=1, keepdims=True)
    return result


def check_has_one_tree(
    settings: SearchSettings, opponent_model: str | AgentModel, field: str = "opponent_model"
) -> None:
    """Checks that a search can follow a model of its opponent.

    Args:
        settings: Settings of the search.
        opponent_model: What is expected of the other side, see `RunnerSettings`.
        field: Setting that holds the model, for the message.

    Raises:
        ValueError: The search has several trees.
    """
    if opponent_model != "none" and settings.determinizations:
        raise ValueError(
            f"{field}: {opponent_model!r} given, expected none where determinizations are {settings.determinizations}: "
            "a model needs one tree"
        )


def sample_rows(policy: Floats, uniforms: NDArray[np.float64]) -> Ids:
    """Returns an action for each row, sampled by inverse transform of a uniform number; never one of probability 0."""
    cumulative = np.cumsum(policy, axis=1, dtype=np.float64)
    picked = (cumulative <= (uniforms * cumulative[:, -1])[:, None]).sum(axis=1)
    # rounding may point past the last action of positive probability
    last = policy.shape[1] - 1 - (policy[:, ::-1] > 0).argmax(axis=1)
    chosen: Ids = np.minimum(picked, last).astype(np.int64)
    return chosen


class NetworkPlayer:
    """Plays what a search with a policy-value network finds, or the network's raw policy.

    Several threads may ask at once if they may call the evaluator at once. It can be pickled if the evaluator can.

    Args:
        evaluator: Evaluates the network, e.g. a `TorchEvaluator`.
        simulations: Simulations per move. 0 plays the raw policy.
        temperature: Temperature at which actions are sampled from the visit shares, or from the policy. 0 plays the
            best action. With a Gumbel root it scales the noise at the root.
        seed: Random seed of determinizations, root noise and sampling.
        threads: Threads of the search. No move depends on it.
        settings: Settings of the search. None: the defaults.
        opponent_model: What the player expects of the other side, see `RunnerSettings`. "told" is known only where the
            engine plays both sides. Elsewhere it is as "none". "infer" concludes from what was played so far. An
            `AgentModel`: it expects this agent; not where the engine plays both sides, which can be told it.
        known_opponents: Names of the built-in opponents that "infer" tells apart, see `RunnerSettings`.
        changes: Fields of `SearchSettings` that differ from `settings`, e.g. ``c_puct=2.0``.

    Raises:
        ValueError: Names the argument that is out of range.
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
        opponent_model: str | AgentModel = "none",
        known_opponents: Sequence[str] | None = None,
        **changes: Any,
    ) -> None:
        if simulations < 0:
            raise ValueError(f"simulations: {simulations} given, expected 0 (the raw policy) or more")
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
        self.opponent_model = opponent_model
        self.known_opponents = known_opponents
        check_has_one_tree(self.settings, opponent_model)
        self._idle: list[Searcher] = []

    @property
    def condition_size(self) -> int:
        """Returns how many numbers the network is told besides an observation."""
        return getattr(self.evaluator, "condition_size", 0)

    def evaluate(self, batch: GameBatch, conditions: Floats | None = None) -> tuple[Floats, Floats]:
        """Returns the network's logits [m, A] and values [m].

        Args:
            batch: Positions.
            conditions: What the network is told besides their observations [m, condition_size]. None: nothing.

        Raises:
            ValueError: The conditions have another shape.
        """
        rows = with_condition(batch.observe(), self.condition_size, conditions)
        return self.evaluator(rows, batch.legal_mask())

    def policy(self, batch: GameBatch, conditions: Floats | None = None) -> Floats:
        """Returns the network's policy over legal actions, float32 [m, A].

        Args:
            batch: Positions.
            conditions: See `evaluate`.

        Raises:
            ValueError: The network returned NaN or infinity for a legal action, or the conditions have another shape.
        """
        legal = batch.legal_mask()
        logits, _ = self.evaluate(batch, conditions)
        if not np.isfinite(np.where(legal, logits, 0.0)).all():
            raise ValueError("evaluate: returned NaN or infinity for a legal action; have the weights diverged?")
        logits = np.where(legal, logits, -np.inf)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        policy: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return policy

    def search(
        self, batch: GameBatch, conditions: Floats | None = None, beliefs: HandBeliefs | None = None
    ) -> SearchResult:
        """Searches the batch, in trees whose memory is kept from one call to the next.

        Args:
            batch: Positions.
            conditions: See `evaluate`. They hold for all of a position's tree.
            beliefs: What `believe` returned for these positions. None: hidden cards are drawn uniformly.
        """
        try:
            searcher = self._idle.pop()  # so that no two threads have the same
        except IndexError:
            searcher = None
        if searcher is None or searcher.slots < len(batch) or searcher.game != batch.handle.name:
            searcher = Searcher(
                len(batch), self.simulations, game=batch.handle.name, condition_size=self.condition_size
            )
        found = searcher.search(
            batch,
            self.evaluator,
            seed=self.seed,
            threads=self.threads,
            settings=self.settings,
            opponents=self._assumed,
            conditions=conditions,
            beliefs=None if beliefs is None else beliefs.memory,
        )
        self._idle.append(searcher)  # not after an error, when another thread may still write into its trees
        return found

    @property
    def _assumed(self) -> str | AgentModel | None:
        """Returns the opponent that the other side is expected to be, wherever the game is played."""
        return assumed_opponent(self.opponent_model)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_idle": []}

    def believe(
        self, states: Sequence[State], histories: Sequence[History] | None = None, field: str = "histories"
    ) -> HandBeliefs | None:
        """Returns what the player believes of the other side's hand, and of who plays it.

        Args:
            states: Positions, at least one, all of one game.
            histories: What was played before each of them; see `beliefs_of`.
            field: Argument that holds the histories, for messages.

        Returns:
            The beliefs. None: it expects no opponent and infers none, or the game has no hidden hands.

        Raises:
            ValueError: A turn is missing, or contradicts the next one.
        """
        if self.opponent_model == "infer":
            return beliefs_of("infer", states, histories, field, self.policy, self.known_opponents)
        return None if self._assumed is None else beliefs_of(self._assumed, states, histories, field)

    def conditions(self, batch: GameBatch, beliefs: HandBeliefs | None = None) -> Floats | None:
        """Returns what the network is told besides the observations of the batch.

        Args:
            batch: Positions.
            beliefs: What `believe` returned for them. None: nothing is known of hands.
        """
        games = () if beliefs is None else beliefs.games
        return condition_of(self._assumed, len(batch), batch.handle, self.condition_size, games)

    def act(self, batch: GameBatch, beliefs: HandBeliefs | None = None) -> Moves:
        """Returns an action for every game of the batch, with policy targets and the search's values.

        Args:
            batch: Positions.
            beliefs: What `believe` returned for them. None: all hands are as likely, and so are all opponents where the
                player infers which one it plays.
        """
        if beliefs is None and self.opponent_model == "infer":
            beliefs = self.believe([batch.state(k) for k in range(len(batch))])
        conditions = self.conditions(batch, beliefs)
        if self.simulations == 0:
            policy = self.policy(batch, conditions)
            return Moves(self._sampled(policy, batch), np.zeros_like(policy))
        found = self.search(batch, conditions, beliefs)
        if self.temperature == 0.0 or self.settings.root_selection == "gumbel":
            return Moves(found.actions, found.policy, found.value)
        return Moves(self._sampled(found.policy, batch), found.policy, found.value)

    @property
    def remembers(self) -> bool:
        """Returns whether it draws conclusions from what was played."""
        return self.opponent_model not in ("none", "told")

    def act_after(self, batch: GameBatch, histories: Sequence[History]) -> Moves:
        """Returns an action for every game of the batch, as `act` does.

        Args:
            batch: Positions.
            histories: What was played before each of them.
        """
        return self.act(batch, self.believe([batch.state(k) for k in range(len(batch))], histories))

    def _sampled(self, policy: Floats, batch: GameBatch) -> Ids:
        return sample_rows(sharpen(policy, self.temperature), batch.uniforms(self.seed))
