"""Chooses opponents that the learner loses to more often than others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from lit_trainer.players.opponent_pool import OpponentPool

RULES = ("linear", "pfsp_hard", "pfsp_even")
"""The rules by which `AdaptiveOpponentPool` turns win rates into weights."""


class AdaptiveOpponentPool(OpponentPool):
    """Weighs its opponents by the learner's win rate w against each.

    An opponent's weight is the floor `MIN_WEIGHT` plus its share of what the floors leave, so no opponent is below the
    floor after normalising. A rule gives the share; the last two are AlphaStar's prioritised fictitious self-play
    (Vinyals et al. 2019):

    - "linear": proportional to 1 - w. It favours opponents that the learner loses to.
    - "pfsp_hard": proportional to (1 - w) ** power. With a power above 1 it leaves almost nothing to beaten opponents.
    - "pfsp_even": proportional to w (1 - w). It favours opponents that are about as strong as the learner.

    If the rule gives every opponent zero (the learner always beats them all), all shares are equal.

    Args:
        *args: Arguments of `OpponentPool`.
        rule: "linear", "pfsp_hard" or "pfsp_even".
        power: Exponent of "pfsp_hard", above 0. 1 is the linear rule.
        **kwargs: Arguments of `OpponentPool`; at least one opponent is required.

    Raises:
        ValueError: Names the argument, the value and what would be right.

    >>> pool = AdaptiveOpponentPool(opponents=["random", "online"])
    >>> pool.update_weights_from_win_rates({"random": 0.9, "online": 0.6})
    >>> {name: round(weight, 3) for name, weight in pool.weights.items()}
    {'random': 0.23, 'online': 0.77}
    """

    MIN_WEIGHT = 0.05

    def __init__(
        self,
        *args: Any,
        rule: Literal["linear", "pfsp_hard", "pfsp_even"] = "linear",
        power: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
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
        """Computes the weights from new win rates.

        Args:
            win_rates: Win rate of the learner, 0 to 1, by opponent. An opponent left out keeps its last rate; 0.5 if it
                was never measured.

        Raises:
            ValueError: A name is not in the pool, or a rate is not a number from 0 to 1. Nothing has changed then.
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
        """Returns an opponent's share before normalising, for the learner's win rate against it."""
        if self.rule == "pfsp_hard":
            return float((1.0 - rate) ** self.power)
        return rate * (1.0 - rate) if self.rule == "pfsp_even" else 1.0 - rate

    def state_dict(self) -> dict[str, Any]:
        """Returns weights, past checkpoints and win rates."""
        return super().state_dict() | {"win_rates": dict(self.win_rates)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over past checkpoints and win rates, and with them the weights that follow from the rates."""
        super().load_state_dict(state)
        rates = state.get("win_rates", {})
        if known := {name: rates[name] for name in self.opponents if name in rates}:
            self.update_weights_from_win_rates(known)

    def check_state(self, state: Any, like: Mapping[str, Tensor], is_told: bool = False) -> None:
        """Checks a saved pool and its win rates, before anything of it is taken over.

        Args:
            state: State as `state_dict` returns it.
            like: Weights of the learner, by name.
            is_told: See `OpponentPool.check_state`.

        Raises:
            ValueError: Names what is wrong.
        """
        super().check_state(state, like, is_told)
        rates = state.get("win_rates", {})
        if not isinstance(rates, Mapping):
            raise ValueError(f"opponent_pool: win_rates: {rates!r} found, expected numbers by opponent")
        for name, rate in rates.items():
            if not isinstance(rate, float) or not 0.0 <= rate <= 1.0:
                raise ValueError(f"opponent_pool: win_rates: {name}: {rate!r} found, expected a number from 0 to 1")
