"""Holds the settings of a search, checked when they are made."""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any, Literal

from sim_core import _arguments

MAX_SIMULATIONS = 1_000_000
"""The most simulations per move, of every search and every player."""


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """Says how a search chooses. docs/search.md has measurements of what each setting is worth.

    Args:
        c_puct: Weight of the prior against the value in PUCT (Silver et al. 2017).
        dirichlet_fraction: Share of Dirichlet noise in the root's priors, 0 to 1. Only PUCT roots use it.
        dirichlet_alpha: Concentration of that noise, above 0.
        root_selection: How the root chooses. "puct": PUCT, as everywhere in the tree. "gumbel": Gumbel noise and
            sequential halving (Danihelka et al. 2022), which play the action that halving settles on.
        policy_target: Policy that positions learn. "visits": the shares of the visits. "completed_q": the softmax of
            log priors and scaled Q, where an unvisited action takes the root's mixed value (Danihelka et al. 2022),
            which is sound at few simulations.
        gumbel_scale: Scale of the root's Gumbel noise. 1 samples from the improved policy, 0 plays its best action.
        max_considered: Actions that sequential halving starts from, 1 to 16.
        c_visit: Part of the scale of Q (in 0 to 1), which is ``(c_visit + most visits of an action) * c_scale``.
        c_scale: Factor of that scale.
        nodes: Which determinizations meet in a node. "shared": all. "private": those in which the player to move there
            knows the same, e.g. holds the same hand, so that inside the tree each player knows the own hand.
        availability: Whether PUCT counts how often an action was legal, in place of its node's visits (Cowling et al.
            2012).
        exact_leaves: Whether leaves that can be solved take the solver's value in place of the network's.
        determinizations: Trees per search. 0: one tree, with a fresh determinization for each simulation. k: k trees
            with one determinization each, in which both players see everything. They share the simulations (the first
            trees take the remainder), and their visits are summed.

    Raises:
        ValueError: Names the field, the value and what would be right.
    """

    c_puct: float = 1.5
    dirichlet_fraction: float = 0.0
    dirichlet_alpha: float = 0.5
    root_selection: Literal["puct", "gumbel"] = "puct"
    policy_target: Literal["visits", "completed_q"] = "visits"
    gumbel_scale: float = 0.0
    max_considered: int = 16
    c_visit: float = 50.0
    c_scale: float = 0.3
    nodes: Literal["shared", "private"] = "shared"
    availability: bool = False
    exact_leaves: bool = True
    determinizations: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("c_puct", 0.0, 1e6),
            ("dirichlet_fraction", 0.0, 1.0),
            ("dirichlet_alpha", 1e-3, 1e6),
            ("gumbel_scale", 0.0, 1e6),
            ("c_visit", 0.0, 1e6),
            ("c_scale", 0.0, 1e6),
        ):
            _check_number(name, getattr(self, name), low, high)
        for name, lowest, highest in (("max_considered", 1, 16), ("determinizations", 0, 10_000)):
            expected = f"an integer from {lowest} to {highest:,}"
            _arguments.integer(name, getattr(self, name), lowest, highest, expected)
        for name, known in (
            ("root_selection", ("puct", "gumbel")),
            ("policy_target", ("visits", "completed_q")),
            ("nodes", ("shared", "private")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: {getattr(self, name)!r} given, expected {' or '.join(map(repr, known))}")
        for name in ("availability", "exact_leaves"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}: {getattr(self, name)!r} given, expected true or false")
        if self.determinizations and (self.root_selection == "gumbel" or self.policy_target == "completed_q"):
            raise ValueError(
                f"determinizations: {self.determinizations} given, expected 0 with a Gumbel root or completed Q: "
                "they need one tree"
            )


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, numbers.Real) or not low <= float(value) <= high:
        raise ValueError(f"{name}: {value!r} given, expected {low} to {high}")
