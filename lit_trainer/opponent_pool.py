"""Whom the learner plays: itself, its past checkpoints, and named opponents by weight."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Literal

import torch
from torch import Tensor

from lit_trainer.checks import time_limit
from lit_trainer.frozen import FrozenCheckpoint, make_frozen
from lit_trainer.ismcts import ismcts_iterations
from lit_trainer.networks import PolicyValueNetwork
from lit_trainer.players import Agent
from sim_core import OPPONENTS, games, get_game

SELF_PLAY = "self_play"
PAST = "past"
"""All past checkpoints together, in what is logged."""
RULES = ("linear", "pfsp_hard", "pfsp_even")
"""By which `AdaptiveOpponentPool` weighs."""


def past_name(iteration: int | str) -> str:
    """The name of a past checkpoint among the opponents of an iteration."""
    return f"{PAST}_{iteration}"


def results_to_log(results: Mapping[str, tuple[int, int, int]]) -> dict[str, float]:
    """``games/NAME`` and ``score/NAME`` of games' wins, draws and losses by opponent, past checkpoints as one.

    A name for each of those would be a further one at every snapshot, which loggers keep, and search, to the run's end.

    >>> results_to_log({"random": (3, 0, 1), "past_50": (1, 0, 0), "past_100": (0, 1, 0)})
    {'games/random': 4.0, 'score/random': 0.75, 'games/past': 2.0, 'score/past': 0.75}
    """
    joined: dict[str, tuple[int, int, int]] = {}
    for name, (wins, draws, losses) in results.items():
        name = PAST if name.startswith(past_name("")) else name
        others = joined.get(name, (0, 0, 0))
        joined[name] = (others[0] + wins, others[1] + draws, others[2] + losses)
    logged = {}
    for name, (wins, draws, losses) in joined.items():
        logged[f"games/{name}"] = float(wins + draws + losses)
        logged[f"score/{name}"] = (wins + draws / 2) / (wins + draws + losses)
    return logged


def _share(name: str, value: float) -> float:
    if not (isinstance(value, (int, float)) and 0.0 <= value <= 1.0):
        raise ValueError(f"{name}: {value!r} given, expected a share from 0 to 1")
    return float(value)


def apportion(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers summing to `total` in proportion to `shares`, by largest remainder.

    >>> apportion(10, {"a": 0.5, "b": 0.25, "c": 0.25})
    {'a': 5, 'b': 3, 'c': 2}
    """
    whole = sum(shares.values())
    exact = {name: total * share / whole for name, share in shares.items()}
    counts = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    # sorted() is stable: of equal remainders the first named gets the game
    for name in sorted(exact, key=lambda name: counts[name] - exact[name])[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def make_agent(name: str, given: Any) -> Agent:
    """The agent itself, made where a class path and its arguments were given."""
    if isinstance(given, Mapping):
        try:
            module, _, class_name = given["class_path"].rpartition(".")
            given = getattr(import_module(module), class_name)(**given.get("init_args", {}))
        except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"agents: {name} cannot be made from {dict(given)}: {error!r}; "
                "expected {class_path: package.module.Class, init_args: {...}}"
            ) from error
    if not isinstance(given, Agent) or not callable(given.select_action):
        raise ValueError(f"agents: {name} ({type(given).__name__}) has no select_action(state, legal_actions)")
    return given


class OpponentPool:
    """Mixes self-play, past checkpoints and named opponents in fixed shares.

    Args:
        opponents: names: built-in ones of any game (the data module checks that they are its game's), keys of
            `agents` or `checkpoints`, or ``ismcts:N`` for tree search of N iterations a move. None: Beasty Bar's ten.
        self_play_share: share of games against itself.
        past_share: share of games against past checkpoints; self-play's until there is one.
        max_past: past checkpoints kept, the newest.
        snapshot_every: iterations from one past checkpoint to the next.
        agents: opponents written in Python, by name: each an object with ``select_action(state, legal_actions)``, or a
            ``{class_path: ..., init_args: {...}}`` of one, as a YAML gives it.
        weights: shares of the named opponents among themselves, summing to one; None: equal.
        checkpoints: opponents that are networks and never change, by name: each ``{path: FILE.ckpt, simulations: 0,
            temperature: 0.0}``; simulations a move (0: the policy alone), temperature of its moves (0: the best).
        agent_time_limit: seconds one of `agents` may take for a move, in training and evaluation, before the run ends
            with an error that names it; None: for ever.

    The rest, ``1 - self_play_share - past_share``, goes to the named opponents by weight (to self-play where there
    are none).

    Raises:
        ValueError: names the argument, the value and what would be right.
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
        self.agent_time_limit = agent_time_limit
        self.checkpoints = {name: make_frozen(name, given) for name, given in (checkpoints or {}).items()}
        self.agents: dict[str, Agent] = {name: make_agent(name, agent) for name, agent in (agents or {}).items()}
        self.agent_sources: dict[str, Any] = dict(agents or {})
        """What each of `agents` was given as, so that other processes can make it again."""
        builtin = tuple(dict.fromkeys(name for game in games() for name in get_game(game).opponents))
        for field, names in (("agents", self.agents), ("checkpoints", self.checkpoints)):
            for name in names:
                if name in (SELF_PLAY, PAST) or name.startswith(past_name("")):
                    raise ValueError(f"{field}: {name} stands for self-play or a past checkpoint; give another name")
                if name in builtin:
                    raise ValueError(f"{field}: {name} is the name of a built-in opponent; give another")
                if ismcts_iterations(field, name) is not None:
                    raise ValueError(f"{field}: {name} stands for tree search; give another name")
        if both := sorted(self.agents.keys() & self.checkpoints.keys()):
            raise ValueError(f"checkpoints: {both[0]} is the name of an agent; give another")
        self.opponents: tuple[str, ...] = tuple(OPPONENTS if opponents is None else opponents)
        for name in self.opponents:
            known = (*builtin, *self.agents, *self.checkpoints)
            if name not in known and ismcts_iterations("opponents", name) is None:
                raise ValueError(
                    f"opponents: {name!r} is not known; known are {', '.join(known)}, ismcts:N; add others by `agents` "
                    "or `checkpoints`"
                )
        if len(set(self.opponents)) != len(self.opponents):
            raise ValueError(f"opponents: a name stands twice in {', '.join(self.opponents)}")
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
        """Iteration to the half-precision weights of its network, oldest first."""
        if len(self.opponents) * self.MIN_WEIGHT > 1.0 + 1e-9:
            raise ValueError(
                f"opponents: {len(self.opponents)} given, at most {int(1 / self.MIN_WEIGHT)} can each hold the "
                f"floor of {self.MIN_WEIGHT}"
            )
        equal = 1.0 / max(len(self.opponents), 1)
        self.weights: dict[str, float] = {name: equal for name in self.opponents}
        if weights is not None:
            self.weights = self._checked_weights(weights)

    def _checked_weights(self, weights: Mapping[str, float]) -> dict[str, float]:
        if set(weights) != set(self.opponents):
            wrong = sorted(set(weights) ^ set(self.opponents))
            raise ValueError(f"weights: expected one for each of the opponents; missing or not known: {wrong}")
        values = {name: _share(f"weights.{name}", weights[name]) for name in self.opponents}
        if values and abs(sum(values.values()) - 1.0) > 1e-6:
            raise ValueError(f"weights: they sum to {sum(values.values()):.6g}, expected 1")
        for name, value in values.items():
            if value < self.MIN_WEIGHT - 1e-9:
                raise ValueError(f"weights.{name}: {value} given, below the floor of {self.MIN_WEIGHT}")
        return values

    def check_names(self, game: str, field: str, names: Sequence[str]) -> None:
        """Raise ValueError, for that setting, where a name is twice there or is no opponent in that game."""
        known = (*get_game(game).opponents, *self.agents, *self.checkpoints)
        if len(set(names)) != len(names):
            raise ValueError(f"{field}: a name stands twice in {', '.join(names)}")
        for name in names:
            if name not in known and ismcts_iterations(field, name) is None:
                raise ValueError(f"{field}: {name!r} is no opponent of {game}; known are {', '.join(known)}, ismcts:N")
            if name in self.checkpoints and self.checkpoints[name].network.game != game:
                raise ValueError(f"{field}: {name} plays {self.checkpoints[name].network.game}, expected {game}")

    def checkpoints_on(self, device: torch.device) -> dict[str, FrozenCheckpoint]:
        """`checkpoints`, once their networks are on that device."""
        for frozen in self.checkpoints.values():
            frozen.network.to(device)
        return self.checkpoints

    def plan(self, games: int) -> dict[str, int]:
        """How many of `games` to play against whom: `SELF_PLAY`, past checkpoints, named opponents."""
        shares = {SELF_PLAY: self.self_play_share}
        shares |= {past_name(iteration): self.past_share / len(self.past) for iteration in self.past}
        rest = 1.0 - self.self_play_share - self.past_share
        shares |= {name: rest * weight for name, weight in self.weights.items()}
        # what nobody takes (no past checkpoint yet, no opponent) is self-play
        shares[SELF_PLAY] += max(0.0, 1.0 - sum(shares.values()))
        return {name: count for name, count in apportion(games, shares).items() if count}

    def needs_snapshot(self, iteration: int) -> bool:
        """Whether `iteration` is one at whose start the network joins the past checkpoints."""
        wanted = self.past_share > 0.0 and self.max_past > 0 and iteration > 0
        return wanted and iteration % self.snapshot_every == 0 and iteration not in self.past

    def add_snapshot(self, iteration: int, network: PolicyValueNetwork) -> None:
        """Keep the network's weights as a past checkpoint; the oldest over `max_past` go."""
        # half precision: a quarter of a checkpoint's size for ten opponents, at no loss that matters to one
        self.past[iteration] = {
            key: value.detach().to("cpu", torch.float16 if value.is_floating_point() else value.dtype, copy=True)
            for key, value in network.state_dict().items()
        }
        for oldest in sorted(self.past)[: max(0, len(self.past) - self.max_past)]:
            del self.past[oldest]

    def past_network(self, iteration: int, like: PolicyValueNetwork) -> PolicyValueNetwork:
        """The past checkpoint's network, built like the given one."""
        network = copy.deepcopy(like).requires_grad_(False)
        network.load_state_dict({key: value.float() for key, value in self.past[iteration].items()})
        return network

    def state_dict(self) -> dict[str, Any]:
        """Weights and past checkpoints."""
        return {"weights": dict(self.weights), "past": dict(self.past)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over saved past checkpoints. Fixed weights are settings: this run's hold."""
        self.past = dict(sorted(state["past"].items())[max(0, len(state["past"]) - self.max_past) :])


def check_pool_state(state: Any, like: Mapping[str, Tensor]) -> None:
    """Refuse a saved pool that holds other things than networks like the learner's, and win rates.

    Args:
        state: as `OpponentPool.state_dict` gives it.
        like: the learner's weights, by name.

    Raises:
        ValueError: names what is wrong.
    """
    past = state.get("past") if isinstance(state, Mapping) else None
    if not isinstance(past, Mapping):
        raise ValueError("opponent_pool: past checkpoints are missing")
    for iteration, weights in past.items():
        if isinstance(iteration, bool) or not isinstance(iteration, int) or not isinstance(weights, Mapping):
            raise ValueError(f"opponent_pool: past: {iteration!r} found, expected iterations and their weights")
        shapes = {name: weight.shape if isinstance(weight, Tensor) else None for name, weight in weights.items()}
        if shapes != {name: weight.shape for name, weight in like.items()}:
            raise ValueError(f"opponent_pool: past: the network of iteration {iteration} is another than the learner's")
    rates = state.get("win_rates", {})
    if not isinstance(rates, Mapping):
        raise ValueError(f"opponent_pool: win_rates: {rates!r} found, expected numbers by opponent")
    for name, rate in rates.items():
        if not isinstance(rate, float) or not 0.0 <= rate <= 1.0:
            raise ValueError(f"opponent_pool: win_rates: {name}: {rate!r} found, expected a number from 0 to 1")


class AdaptiveOpponentPool(OpponentPool):
    """A pool that weighs its opponents by the learner's win rate w against each.

    An opponent's weight is the floor plus its share of what the floors leave; so after normalising no opponent is under
    `MIN_WEIGHT`. Its share follows a rule, whose last two are AlphaStar's prioritised fictitious self-play (Vinyals et
    al. 2019):

    - "linear": by 1 - w, so the more, the more the learner loses to it;
    - "pfsp_hard": by (1 - w) ** power, which for a power above 1 leaves almost nothing to those it beats;
    - "pfsp_even": by w (1 - w), those about as strong as the learner.

    Where the rule gives nobody anything (all are always beaten), all shares are equal.

    Args:
        rule: "linear", "pfsp_hard" or "pfsp_even".
        power: of "pfsp_hard", above 0; 1 is the linear rule.

    The others as of `OpponentPool`.

    >>> pool = AdaptiveOpponentPool(opponents=["random", "online"])
    >>> pool.update_weights_from_win_rates({"random": 0.9, "online": 0.6})
    >>> {name: round(weight, 3) for name, weight in pool.weights.items()}
    {'random': 0.23, 'online': 0.77}
    """

    MIN_WEIGHT = 0.05

    def __init__(
        self,
        opponents: Sequence[str] | None = None,
        self_play_share: float = 0.5,
        past_share: float = 0.1,
        max_past: int = 10,
        snapshot_every: int = 50,
        agents: dict[str, Any] | None = None,
        weights: dict[str, float] | None = None,
        rule: Literal["linear", "pfsp_hard", "pfsp_even"] = "linear",
        power: float = 2.0,
        checkpoints: dict[str, Any] | None = None,
        agent_time_limit: float | None = 300.0,
    ) -> None:
        super().__init__(
            opponents,
            self_play_share,
            past_share,
            max_past,
            snapshot_every,
            agents,
            weights,
            checkpoints,
            agent_time_limit,
        )
        if not self.opponents:
            raise ValueError("opponents: none given, expected at least one to adapt to")
        if rule not in RULES:
            raise ValueError(f"rule: {rule!r} given, expected one of {', '.join(RULES)}")
        if isinstance(power, bool) or not isinstance(power, (int, float)) or not 0.0 < power < math.inf:
            raise ValueError(f"power: {power!r} given, expected a number above 0")
        self.rule = rule
        self.power = float(power)
        self.win_rates: dict[str, float] = {}

    def update_weights_from_win_rates(self, win_rates: dict[str, float]) -> None:
        """Weigh the opponents anew; one without a rate keeps its last (one never measured counts as 0.5).

        Raises:
            ValueError: a name is not in the pool, or a rate is not a number from 0 to 1; nothing has changed then.
        """
        checked = {}
        for name, rate in win_rates.items():
            if name not in self.weights:
                raise ValueError(f"win_rates: {name!r} is not in the pool; its opponents are {', '.join(self.weights)}")
            try:
                checked[name] = float(rate)
            except (TypeError, ValueError):
                raise ValueError(f"win_rates.{name}: {rate!r} given, expected a number from 0 to 1") from None
            if isinstance(rate, (str, bool)) or not 0.0 <= checked[name] <= 1.0:
                raise ValueError(f"win_rates.{name}: {rate!r} given, expected a number from 0 to 1")
        self.win_rates |= checked
        wanted = {name: self._wanted(self.win_rates.get(name, 0.5)) for name in self.opponents}
        total = sum(wanted.values())
        spare = 1.0 - len(self.opponents) * self.MIN_WEIGHT
        equal = 1.0 / len(self.opponents)
        self.weights = {
            name: self.MIN_WEIGHT + spare * (share / total if total > 0.0 else equal) for name, share in wanted.items()
        }

    def _wanted(self, rate: float) -> float:
        """What the rule gives an opponent against whom the learner has that win rate, before normalising."""
        if self.rule == "pfsp_hard":
            return float((1.0 - rate) ** self.power)
        return rate * (1.0 - rate) if self.rule == "pfsp_even" else 1.0 - rate

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"win_rates": dict(self.win_rates)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over past checkpoints and win rates, and with them the weights that follow from the rates."""
        super().load_state_dict(state)
        rates = state.get("win_rates", {})
        if known := {name: rates[name] for name in self.opponents if name in rates}:
            self.update_weights_from_win_rates(known)
