"""Groups of the data module's settings that learning and evaluation read: validation, test, replay window."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from lit_trainer.measuring.matches import Match, checked_opening_plies
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import make_evaluator
from lit_trainer.players.adaptive_pool import AdaptiveOpponentPool
from lit_trainer.players.network_player import check_has_one_tree
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.players.roster import Roster, pickled
from lit_trainer.self_play.settings import GenerationSettings
from lit_trainer.utils.checks import whole_number
from lit_trainer.utils.settings import Settings, whole
from sim_core import SearchSettings, get_game
from sim_core.runner_settings import check_opponent_model
from sim_core.tree_search.settings import MAX_SIMULATIONS

_MOST_GAMES = 10_000_000
_MOST_PLIES = 1_000_000  # `checked_opening_plies` knows the game's own limit

PLAY_SEARCH = SearchSettings()
"""Default search of evaluation. docs/search.md says why it may differ from the search that teaches best."""


def as_models(given: str | Sequence[str], field: str) -> tuple[str, ...]:
    """Returns what a player knows of its opponents, in one measurement after the other.

    Args:
        given: One model or several.
        field: Setting that holds them, for the message.

    Raises:
        ValueError: There is none, or one stands twice.
    """
    models = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    if not models or len(set(models)) != len(models):
        raise ValueError(f"{field}: {list(models)} given, expected at least one, and each only once")
    return models


@dataclass(frozen=True)
class EvaluationSettings(Settings):
    """Describes the matches of validation.

    Args:
        opponents: Opponents that the learner is measured against: names of players of any kind (built-in ones,
            `ismcts:N`, `FILE.ckpt@64`, `my_package.MyAgent`, ...) or names from the pool. None: the pool's opponents,
            or all built-in ones.
        games: Games against each opponent, an even number: each deal is played from both seats.
        simulations: Simulations per move. 0 plays the raw policy.
        opening_plies: Random plies that each game begins with, the same for both seats. None: 2 where the game's deal
            draws nothing, so that games differ from each other, otherwise none.
        search: Settings of the search in validation and test, where the best move is wanted and no training target.
        opponent_model: What the learner knows of its opponent. "none": nothing, so it expects it to play as itself.
            "told": where it is a built-in opponent, or an agent that says how it plays, its rule. The search plays that
            rule in the tree, and believes in hidden hands by what the opponent did not play. "infer": it finds out
            whether the opponent is one of `generation.known_opponents`, and which. Several are measured one after the
            other and shown side by side. The first is the one that counts: the others are logged as `val/MODEL/NAME`,
            and nothing follows them.

    Raises:
        ValueError: Names the field, its value and what would be right.
    """

    opponents: Sequence[str] | None = None
    games: int = whole(200, 2, _MOST_GAMES, even=True)
    simulations: int = whole(0, 0, MAX_SIMULATIONS)
    opening_plies: int | None = whole(None, 0, _MOST_PLIES)
    search: SearchSettings = PLAY_SEARCH
    opponent_model: str | Sequence[str] = "none"

    group: ClassVar[str] = "evaluation"

    def __post_init__(self) -> None:
        """Raises ValueError for the first field that is out of bounds."""
        super().__post_init__()
        for model in self.opponent_models:
            check_has_one_tree(self.search, model, self.qualified("opponent_model"))

    @property
    def opponent_models(self) -> tuple[str, ...]:
        """Returns what the learner knows of its opponent, in one measurement after the other."""
        return as_models(self.opponent_model, self.qualified("opponent_model"))

    @property
    def matches(self) -> tuple[Match, ...]:
        """Returns the matches, in the order of their loaders."""
        return tuple(
            Match(self.simulations, name, model) for model in self.opponent_models for name in self.opponents or ()
        )


@dataclass(frozen=True)
class TestSettings(Settings):
    """Describes the matches of `test`.

    Args:
        opponents: Opponents that the player is measured against, named as in `evaluation.opponents`. None: the
            opponents of validation.
        games: Games against each opponent at each number of simulations, an even number: each deal is played from
            both seats.
        simulations: Numbers of simulations per move. The player is measured at each of them against all opponents.
        opening_plies: Random plies that each game begins with, as in `evaluation.opening_plies`.
        opponent_model: What the player knows of its opponents, as in `evaluation.opponent_model`. Several are measured
            one after the other and shown side by side.

    Raises:
        ValueError: Names the field, its value and what would be right.
    """

    __test__: ClassVar[bool] = False  # pytest would collect a class of this name

    opponents: Sequence[str] | None = None
    games: int = whole(1000, 2, _MOST_GAMES, even=True)
    simulations: Sequence[int] = (0, 16, 64, 256)
    opening_plies: int | None = whole(None, 0, _MOST_PLIES)
    opponent_model: str | Sequence[str] = "none"

    group: ClassVar[str] = "test"

    def __post_init__(self) -> None:
        """Raises ValueError for the first field that is out of bounds."""
        super().__post_init__()
        name, numbers = self.qualified("simulations"), self.simulations
        for number in numbers:
            whole_number(name, number, 0, MAX_SIMULATIONS)
        if not numbers or len(set(numbers)) != len(numbers):
            raise ValueError(f"{name}: {list(numbers)} given, expected at least one number, and each only once")
        _ = self.opponent_models

    @property
    def opponent_models(self) -> tuple[str, ...]:
        """Returns what the player knows of its opponents, in one measurement after the other."""
        return as_models(self.opponent_model, self.qualified("opponent_model"))

    @property
    def matches(self) -> tuple[Match, ...]:
        """Returns the matches, in the order of their loaders."""
        return tuple(
            Match(number, name, model)
            for number in self.simulations
            for model in self.opponent_models
            for name in self.opponents or ()
        )


@dataclass(frozen=True)
class ReplaySettings(Settings):
    """Describes the replay window, from which batches are drawn.

    Args:
        positions: Positions that the window holds, in each process.
        save: Whether checkpoints hold the window. Without it a resumed run fills the window anew.
        hide_condition: Share of learned positions, from 0 to 1, at which the network is not told what it was told in
            the game. So it learns to play without, too.

    Raises:
        ValueError: Names the field, its value and what would be right.
    """

    positions: int = whole(250_000, 1, 1_000_000_000)
    save: bool = True
    hide_condition: float = 0.0

    group: ClassVar[str] = "replay"

    def __post_init__(self) -> None:
        """Raises ValueError for the first field that is out of bounds."""
        super().__post_init__()
        share = self.hide_condition
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
            raise ValueError(f"{self.qualified('hide_condition')}: {share!r} given, expected a share from 0 to 1")


def resolved(
    generation: GenerationSettings,
    evaluation: EvaluationSettings,
    test: TestSettings,
    pool: OpponentPool,
    roster: Roster,
    game: str,
) -> tuple[EvaluationSettings, TestSettings]:
    """Returns validation and test with their opponents' short names, which are added to the roster, and opening plies.

    Args:
        generation: Settings of self-play.
        evaluation: Settings of validation. Without opponents they get the pool's, or all built-in ones.
        test: Settings of `test`. Without opponents they get those of validation.
        pool: The run's opponent pool.
        roster: Opponents by their short names, among them the pool's.
        game: Name of the game.

    Raises:
        ValueError: An opponent or a model of one is unknown, the search cannot follow a model, an adaptive pool does
            not hold an opponent of validation, or the game is shorter than an opening.
    """
    rules = get_game(game)
    check_opponent_model(generation.opponent_model, rules, generation.qualified("opponent_model"))
    for group in (evaluation, test):
        for model in group.opponent_models:
            check_opponent_model(model, rules, group.qualified("opponent_model"))
    for model in test.opponent_models:
        check_has_one_tree(evaluation.search, model, test.qualified("opponent_model"))
    given = evaluation.opponents
    if given is None:
        given = pool.opponents or rules.opponents
    named = roster.enlist(given, evaluation.qualified("opponents"), game)
    for name in named:
        if isinstance(pool, AdaptiveOpponentPool) and name not in pool.opponents:
            raise ValueError(
                f"evaluation.opponents: {name!r} is not in the adaptive pool, whose weights follow these evaluations; "
                f"its opponents are {', '.join(pool.opponents)}"
            )
    tested = named
    if test.opponents is not None:
        tested = roster.enlist(test.opponents, test.qualified("opponents"), game)
    plies = [
        checked_opening_plies(group.opening_plies, game, group.qualified("opening_plies"))
        for group in (evaluation, test)
    ]
    return (
        replace(evaluation, opponents=named, opening_plies=plies[0]),
        replace(test, opponents=tested, opening_plies=plies[1]),
    )


def check_training(temperature: float, batch_size: int, steps_per_iteration: int) -> None:
    """Checks the settings that belong to no group.

    Args:
        temperature: Temperature of self-play, 0 or more.
        batch_size: Positions per batch, at least 1.
        steps_per_iteration: Optimizer steps per iteration, at least 1.

    Raises:
        ValueError: Names the setting, its value and what would be right.
    """
    whole_number("batch_size", batch_size, 1, 10_000_000)
    whole_number("steps_per_iteration", steps_per_iteration, 1, 1_000_000_000)
    if not 0.0 <= temperature < float("inf"):
        raise ValueError(f"temperature: {temperature!r} given, expected 0 or more")


def check_network(
    network: PolicyValueNetwork, game: str, generation: GenerationSettings, replay: ReplaySettings
) -> None:
    """Checks that a network can learn from a run's data.

    Args:
        network: The network.
        game: Name of the game that the data plays.
        generation: How games are generated.
        replay: Settings of the window.

    Raises:
        ValueError: The network is of another game, the evaluator does not support it, or it is told nothing to hide.
        ModuleNotFoundError: The packages that the evaluator needs are missing.
    """
    if network.game != game:
        raise ValueError(f"game: the data plays {game}, the network is for {network.game}")
    if replay.hide_condition and not network.condition_size:
        raise ValueError(
            f"{replay.qualified('hide_condition')}: {replay.hide_condition} given, expected 0: this "
            f"{type(network).__name__} is told nothing; make a ResidualMLP with condition: opponent or belief"
        )
    make_evaluator(network, generation.evaluator)  # names what it does not support, or what is not installed


def check_asynchronous(pool: OpponentPool) -> None:
    """Checks that worker processes can run here and can be sent the pool's opponents.

    Args:
        pool: The run's opponent pool, whose agents and checkpoints are sent to the workers.

    Raises:
        ValueError: The system is none of POSIX, or an opponent cannot be sent to another process.
    """
    if os.name != "posix":
        raise ValueError("workers: given, expected null: worker processes need a POSIX system")
    pickled({name: pool.roster[name] for name in pool.opponents})
