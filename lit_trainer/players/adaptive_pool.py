"""A pool that gives more games to the opponents the learner loses to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lit_trainer.players.opponent_pool import OpponentPool

RULES = ("linear", "pfsp_hard", "pfsp_even")
"""By which `AdaptiveOpponentPool` weighs."""


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
