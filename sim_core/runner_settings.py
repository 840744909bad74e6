"""The settings that a `GameRunner` reads whole: how its learner moves and what its positions learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from sim_core import _arguments
from sim_core.game import GameHandle
from sim_core.tree_search.settings import MAX_SIMULATIONS, SearchSettings

ValueTarget = Literal["outcome", "endgame"]

MODELS = ("none", "told", "infer")
"""Values of `opponent_model` besides the names of opponents, see `RunnerSettings`."""

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
            other player is searched as with "none". "infer": It is one of the known opponents or none of them, and each
            of its actions says more of which. A built-in opponent's name: It plays by that rule, whoever it is.
        known_opponents: Names of the built-in opponents that "infer" tells apart; any other one is none of them. None:
            All of the game's. Empty: Nobody is known, so it is as "none".

    Raises:
        ValueError: Names the field, the value and what would be right.
    """

    simulations: int
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    value_target: ValueTarget = "outcome"
    opponent_model: str = "none"
    known_opponents: Sequence[str] | None = None

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


def check_opponent_model(model: Any, rules: GameHandle, field: str = "opponent_model") -> None:
    """Checks what is to be expected of the other side.

    Args:
        model: "none", "told", "infer" where the game has hidden hands, or the name of one of its built-in opponents.
        rules: The game.
        field: Setting that holds it, for the message.

    Raises:
        ValueError: It is something else.
    """
    known = (*(MODELS if rules.has_hidden_hands else MODELS[:2]), *rules.opponents)
    if model not in known:
        why = f"; {rules.name} does not tell what hands a player may hold (docs/adding_a_game.md)"
        raise ValueError(
            f"{field}: {model!r} given, expected one of {', '.join(known)}{why if model in MODELS else ''}"
        )


def checked_known_opponents(
    names: Sequence[str] | None, rules: GameHandle, field: str = "known_opponents"
) -> tuple[str, ...]:
    """Returns the names of the opponents that are told apart, in the game's order.

    Args:
        names: See `RunnerSettings`.
        rules: The game.
        field: Setting that holds them, for the message.

    Raises:
        ValueError: They are no list, or one is no built-in opponent of the game.
    """
    if names is None:
        return rules.opponents
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    wrong = [name for name in names if name not in rules.opponents] if listed else [names]
    if wrong:
        raise ValueError(f"{field}: {wrong[0]!r} given, expected a list of some of {', '.join(rules.opponents)}")
    return tuple(name for name in rules.opponents if name in names)
