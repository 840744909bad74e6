"""Chooses the learner's opponents: itself, past checkpoints and named opponents in fixed shares."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.condition import with_condition_layer
from lit_trainer.players.apportionment import Apportionment
from lit_trainer.players.engine_players import BuiltinOpponent
from lit_trainer.players.frozen import FrozenCheckpoint
from lit_trainer.players.protocols import Opponent
from lit_trainer.players.roster import Roster
from lit_trainer.players.specs import SELF_PLAY, past_name
from lit_trainer.utils.checks import time_limit
from sim_core import DEFAULT_OPPONENTS


def _share(name: str, value: float) -> float:
    if not (isinstance(value, (int, float)) and 0.0 <= value <= 1.0):
        raise ValueError(f"{name}: {value!r} given, expected a share from 0 to 1")
    return float(value)


class OpponentPool:
    """Mixes self-play, past checkpoints and named opponents in fixed shares.

    The rest, ``1 - self_play_share - past_share``, goes to the named opponents by weight. If there are none, it goes to
    self-play.

    Args:
        opponents: Players' names: built-in ones, ``ismcts:N``, FILE.ckpt, FILE.ckpt@SIMULATIONS, a run's folder,
            package.module.Agent(argument=value), or keys of `agents` and `checkpoints`. A file plays under its name
            without folder and suffix, an agent under its class's name. None: `sim_core.DEFAULT_OPPONENTS`.
        self_play_share: Share of games that the learner plays against itself, 0 to 1.
        past_share: Share of games against past checkpoints, 0 to 1. Self-play gets it until there is one.
        max_past: Number of past checkpoints to keep; the oldest goes first.
        snapshot_every: Iterations between two past checkpoints.
        agents: Opponents written in Python, by name: each an object with ``select_action(state, legal_actions)``, or
            ``{class_path: package.module.Class, init_args: {...}}``.
        weights: Shares of the named opponents among themselves, which sum to one. None: equal shares.
        checkpoints: Opponents that are networks and never change, by name: each ``{path: FILE.ckpt, simulations: 0,
            temperature: 0.0}``. Simulations are per move (0 plays the raw policy); temperature 0 plays the best move.
        agent_time_limit: Seconds per move of an agent written in Python, in training and evaluation. The run ends with
            an error that names an agent which takes longer. None: no limit.

    Raises:
        FileNotFoundError: A file of `checkpoints` does not exist.
        ValueError: Names the argument, the value and what would be right.
    """

    MIN_WEIGHT = 0.0

    def __init__(
        self,
        opponents: Sequence[str] | None = None,
        self_play_share: float = 0.5,
        past_share: float = 0.1,
        max_past: int = 10,
        snapshot_every: int = 50,
        agents: dict[str, Any] | None = None,
        weights: dict[str, float] | None = None,
        checkpoints: dict[str, Any] | None = None,
        agent_time_limit: float | None = 300.0,
    ) -> None:
        time_limit("agent_time_limit", agent_time_limit)
        self.roster = Roster(agents, checkpoints, agent_time_limit)
        """All opponents that this run can name, also those of `agents` and `checkpoints` that it does not play."""
        self.opponents = self.roster.enlist(DEFAULT_OPPONENTS if opponents is None else opponents, "opponents")
        """Short names of the opponents that the learner plays."""
        self.self_play_share = _share("self_play_share", self_play_share)
        self.past_share = _share("past_share", past_share)
        if self.self_play_share + self.past_share > 1.0 + 1e-9:
            raise ValueError(
                f"self_play_share, past_share: {self_play_share} and {past_share} given, together more than 1"
            )
        for key, value in (("max_past", max_past), ("snapshot_every", snapshot_every)):
            if isinstance(value, bool) or not isinstance(value, int) or value < (key == "snapshot_every"):
                raise ValueError(f"{key}: {value!r} given, expected a whole number of at least 1 (max_past: 0)")
        self.max_past = max_past
        self.snapshot_every = snapshot_every
        self.past: dict[int, dict[str, Tensor]] = {}
        """Half-precision weights of past networks by iteration, oldest first."""
        if len(self.opponents) * self.MIN_WEIGHT > 1.0 + 1e-9:
            raise ValueError(
                f"opponents: {len(self.opponents)} given, expected at most {int(1 / self.MIN_WEIGHT)}, "
                f"because each keeps a weight of at least {self.MIN_WEIGHT}"
            )
        equal = 1.0 / max(len(self.opponents), 1)
        self.weights: dict[str, float] = {name: equal for name in self.opponents}
        if weights is not None:
            self.weights = self._checked_weights(weights)
        self.apportionment = Apportionment()
        """Turns shares into whole games."""

    def _checked_weights(self, weights: Mapping[str, float]) -> dict[str, float]:
        if set(weights) != set(self.opponents):
            wrong = sorted(set(weights) ^ set(self.opponents))
            raise ValueError(f"weights: expected one for each opponent; missing or unknown: {wrong}")
        values = {name: _share(f"weights.{name}", weights[name]) for name in self.opponents}
        if values and abs(sum(values.values()) - 1.0) > 1e-6:
            raise ValueError(f"weights: they sum to {sum(values.values()):.6g}, expected 1")
        for name, value in values.items():
            if value < self.MIN_WEIGHT - 1e-9:
                raise ValueError(f"weights.{name}: {value} given, below the floor of {self.MIN_WEIGHT}")
        return values

    @property
    def builtins(self) -> tuple[str, ...]:
        """Returns the names of those opponents that are built-in ones."""
        return tuple(name for name in self.opponents if isinstance(self.roster[name], BuiltinOpponent))

    def check_game(self, game: str) -> None:
        """Raises ValueError if one of the opponents does not play the game."""
        self.roster.enlist(self.opponents, "opponent_pool", game)

    def players_of(
        self, plan: Mapping[str, int], like: PolicyValueNetwork, temperature: float = 1.0
    ) -> dict[str, Opponent]:
        """Returns the opponents of a plan, without the learner itself.

        Args:
            plan: Opponent to games, as `plan` returns it.
            like: The learner: past checkpoints are built like it, and all networks are put on its device.
            temperature: Temperature at which past checkpoints sample from their policy. 0 stands for 1.
        """
        roster = self.roster.to(next(like.parameters()).device)
        past = {past_name(iteration): iteration for iteration in self.past}
        return {
            name: past_opponent(self.past_network(past[name], like), temperature) if name in past else roster[name]
            for name in plan
            if name != SELF_PLAY
        }

    def shares(self) -> dict[str, float]:
        """Returns the share of games of `SELF_PLAY`, each past checkpoint and each named opponent. They sum to 1."""
        shares = {SELF_PLAY: self.self_play_share}
        shares |= {past_name(iteration): self.past_share / len(self.past) for iteration in self.past}
        rest = 1.0 - self.self_play_share - self.past_share
        shares |= {name: rest * weight for name, weight in self.weights.items()}
        # shares that nobody takes (no past checkpoint yet, no opponent) go to self-play
        shares[SELF_PLAY] += max(0.0, 1.0 - sum(shares.values()))
        return shares

    def plan(self, games: int) -> dict[str, int]:
        """Returns how many of the next games to play against each name of `shares`, without those that get none.

        Numbers of games are whole. What rounding takes from an opponent is carried to the next call, see
        `Apportionment`, and saved with the pool.

        Args:
            games: Number of games in all.
        """
        return self.apportionment.next(games, self.shares())

    def needs_snapshot(self, iteration: int) -> bool:
        """Returns whether the network joins the past checkpoints at the start of the iteration."""
        wanted = self.past_share > 0.0 and self.max_past > 0 and iteration > 0
        return wanted and iteration % self.snapshot_every == 0 and iteration not in self.past

    def add_snapshot(self, iteration: int, network: PolicyValueNetwork) -> None:
        """Keeps the network's weights as a past checkpoint, and drops the oldest above `max_past`."""
        # half precision: ten of them take a quarter of a checkpoint's size, and play no worse to speak of
        self.past[iteration] = _half(network.state_dict())
        for oldest in sorted(self.past)[: max(0, len(self.past) - self.max_past)]:
            del self.past[oldest]

    def past_network(self, iteration: int, like: PolicyValueNetwork) -> PolicyValueNetwork:
        """Returns the past checkpoint's network, built like the given one and on its device."""
        network = copy.deepcopy(like).requires_grad_(False)
        network.load_state_dict({key: value.float() for key, value in self.past[iteration].items()})
        return network

    def state_dict(self) -> dict[str, Any]:
        """Returns weights, past checkpoints, and what rounding owes each opponent."""
        return {"weights": dict(self.weights), "past": dict(self.past), "owed": dict(self.apportionment.owed)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over past checkpoints and owed games. Saved weights are not used, because fixed ones are a setting."""
        self.past = dict(sorted(state["past"].items())[max(0, len(state["past"]) - self.max_past) :])
        self.apportionment.owed = dict(state.get("owed", {}))  # older files have none

    def complete_past(self, like: Mapping[str, Tensor]) -> None:
        """Gives past networks that could not be told anything the learner's condition, with zeros as weights.

        Args:
            like: Weights of the learner, by name.
        """
        half = _half(like)
        self.past = {iteration: with_condition_layer(weights, half) for iteration, weights in self.past.items()}

    def check_state(self, state: Any, like: Mapping[str, Tensor], is_told: bool = False) -> None:
        """Checks a saved pool, before anything of it is taken over.

        Args:
            state: State as `state_dict` returns it.
            like: Weights of the learner, by name; past networks must have the same names and shapes.
            is_told: Whether the learner that was saved with the pool has a condition. Then its past networks have one,
                too. Other past networks may lack it.

        Raises:
            ValueError: Names what is wrong.
        """
        past = state.get("past") if isinstance(state, Mapping) else None
        if not isinstance(past, Mapping):
            raise ValueError("opponent_pool: past checkpoints are missing")
        expected = {name: weight.shape for name, weight in like.items()}
        for iteration, weights in past.items():
            if isinstance(iteration, bool) or not isinstance(iteration, int) or not isinstance(weights, Mapping):
                raise ValueError(f"opponent_pool: past: {iteration!r} found, expected iterations and their weights")
            whole = weights if is_told else with_condition_layer(weights, like)
            shapes = {name: weight.shape if isinstance(weight, Tensor) else None for name, weight in whole.items()}
            if shapes != expected:
                raise ValueError(
                    f"opponent_pool: past: the network of iteration {iteration} differs from the learner's"
                )
        owed = state.get("owed", {})
        if not isinstance(owed, Mapping) or not all(
            isinstance(due, float) and math.isfinite(due) for due in owed.values()
        ):
            raise ValueError(f"opponent_pool: owed: {owed!r} found, expected a number of games by opponent")


def _half(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns copies of weights on the CPU, in half precision."""
    return {
        key: value.detach().to("cpu", torch.float16 if value.is_floating_point() else value.dtype, copy=True)
        for key, value in weights.items()
    }


def past_opponent(network: PolicyValueNetwork, temperature: float) -> FrozenCheckpoint:
    """Returns a past checkpoint as an opponent, which plays its policy: far more kinds of games at a small cost.

    Args:
        network: Network of the past checkpoint.
        temperature: Temperature at which it samples from its policy. 0 stands for 1.
    """
    return FrozenCheckpoint(network.eval(), temperature=temperature or 1.0)
