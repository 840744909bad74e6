"""The settings that a `GameRunner` reads whole: how its learner moves and what its positions learn from."""

from __future__ import annotations

import dataclasses
from typing import Literal

from sim_core import _arguments
from sim_core.tree_search.settings import MAX_SIMULATIONS, SearchSettings

ValueTarget = Literal["outcome", "endgame"]

SLIP = 0.01
"""Share of its turns in which an opponent that is found out is taken to play at random, so that none is ruled out."""
STRANGER = 0.5
"""How likely an opponent that is found out is none of the known ones, at first. Those are all as likely."""
UNIFORM = 0.1
"""Share of random play in what an opponent that is none of the known ones is expected to play."""


@dataclasses.dataclass(frozen=True)
class RunnerSettings:
    """Keeps the settings of a `GameRunner`, checked when they are made.

    Args:
        simulations: Simulations per move of the learner, up to `MAX_SIMULATIONS`. 0 plays the raw policy.
        search: Settings of the learner's searches.
        value_target: Value that a recorded position learns. "outcome": the game's result. "endgame": the exact value
            where a position can be solved; all earlier positions take the exact value of the first solvable one.
        opponent_model: What the learner's searches expect of the other side. "none": It plays as the learner would.
            "told": Where it is a built-in opponent, or an agent that says how it plays, it plays by that rule; any
            other player is searched as with "none". "infer": It is one of the game's built-in opponents or none of
            them, and each of its actions says more of which. A built-in opponent's name: It plays by that rule, whoever
            it is.

    Raises:
        ValueError: Names the field, the value and what would be right.
    """

    simulations: int
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    value_target: ValueTarget = "outcome"
    opponent_model: str = "none"

    def __post_init__(self) -> None:
        """Raises ValueError for the first field that is out of bounds."""
        _arguments.integer(
            "simulations", self.simulations, 0, MAX_SIMULATIONS, f"0 (the raw policy) to {MAX_SIMULATIONS:,}"
        )
        if not isinstance(self.search, SearchSettings):
            raise ValueError(f"search: {self.search!r} given, expected SearchSettings")
        if self.value_target not in ("outcome", "endgame"):
            raise ValueError(f"value_target: {self.value_target!r} given, expected outcome or endgame")
        if self.simulations and self.search.determinizations:
            raise ValueError(
                f"determinizations: {self.search.determinizations} given, expected 0: "
                "only `search` can use several trees per move"
            )
