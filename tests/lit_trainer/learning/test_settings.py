"""The groups of settings of learning and evaluation: what they refuse, whoever makes them, and what they stand at."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest

from lit_trainer import (
    AdaptiveOpponentPool,
    EvaluationSettings,
    GenerationSettings,
    OpponentPool,
    ReplaySettings,
    ResidualMLP,
    SelfPlayDataModule,
    TestSettings,
    TransformerNetwork,
)
from lit_trainer.learning.settings import check_asynchronous, check_network, check_training, resolved
from sim_core import SearchSettings, get_game

WHOLE_NUMBERS = [
    (EvaluationSettings, "games", 2, 10_000_000),
    (EvaluationSettings, "simulations", 0, 1_000_000),
    (TestSettings, "games", 2, 10_000_000),
    (ReplaySettings, "positions", 1, 1_000_000_000),
]


@pytest.mark.parametrize(("group", "field", "lowest", "highest"), WHOLE_NUMBERS)
def test_whole_numbers_have_bounds(group: type[Any], field: str, lowest: int, highest: int) -> None:
    plain = group()
    for value in (lowest, highest):
        assert getattr(group(**{field: value}), field) == value
        assert getattr(dataclasses.replace(plain, **{field: value}), field) == value
    for value in (lowest - 1, highest + 1, float(lowest), True, "4", None):
        for make in (group, lambda **changes: dataclasses.replace(plain, **changes)):
            with pytest.raises(ValueError) as raised:
                make(**{field: value})
            expected = f"{group.group}.{field}: {value!r} given, expected a whole number from {lowest} to {highest:,}"
            assert str(raised.value) == expected


@pytest.mark.parametrize("group", [EvaluationSettings, TestSettings])
def test_games_are_even(group: type[Any]) -> None:
    """Fails if an odd number of games is taken: one deal would be played from one seat only."""
    expected = rf"^{group.group}\.games: 7 given, expected an even number \(each deal is played from two seats\)$"
    with pytest.raises(ValueError, match=expected):
        group(games=7)
    with pytest.raises(ValueError, match=expected):
        dataclasses.replace(group(), games=7)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((), r"^test\.simulations: \[\] given, expected at least one number, and each only once$"),
        ((4, 4), r"^test\.simulations: \[4, 4\] given, expected at least one number, and each only once$"),
        ((0, -1), r"^test\.simulations: -1 given, expected a whole number from 0 to 1,000,000$"),
        ((1_000_001,), r"^test\.simulations: 1000001 given, expected a whole number from 0 to 1,000,000$"),
        ((2.0,), r"^test\.simulations: 2\.0 given, expected a whole number from 0 to 1,000,000$"),
    ],
)
def test_each_number_of_simulations_is_checked(numbers: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        TestSettings(simulations=numbers)
    with pytest.raises(ValueError, match=expected):
        dataclasses.replace(TestSettings(), simulations=numbers)


def test_defaults_are_those_of_a_run() -> None:
    search = dataclasses.asdict(SearchSettings())
    both: dict[str, Any] = {"opponents": None, "opening_plies": None}
    expected = both | {"games": 200, "simulations": 0, "search": search, "opponent_model": "none"}
    assert dataclasses.asdict(EvaluationSettings()) == expected
    assert dataclasses.asdict(TestSettings()) == both | {
        "games": 1000, "simulations": (0, 16, 64, 256), "opponent_model": "none"
    }  # fmt: skip
    assert dataclasses.asdict(ReplaySettings()) == {"positions": 250_000, "save": True, "hide_condition": 0.0}


@pytest.mark.parametrize("group", ["evaluation", "test"])
@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([], r"^GROUP\.opponent_model: \[\] given, expected at least one, and each only once$"),
        (["told", "told"], r"^GROUP\.opponent_model: \['told', 'told'\] given, expected at least one"),
        (["none", "nobody"], r"^GROUP\.opponent_model: 'nobody' given, expected one of none, told, infer, random, "),
        ("nobody", r"^GROUP\.opponent_model: 'nobody' given, expected one of none, told, infer, random, "),
        (3, r"^GROUP\.opponent_model: 3 given, expected one of none, told, infer, random, "),
        (["none", "told"], r"^GROUP\.opponent_model: 'told' given, expected none where determinizations are 2"),
    ],
)
def test_what_a_measured_player_knows_is_checked(group: str, models: Any, expected: str) -> None:
    pool, search = OpponentPool(["random"]), SearchSettings(determinizations=2 if "2" in expected else 0)
    known: dict[str, dict[str, Any]] = {"evaluation": {}, "test": {}, group: {"opponent_model": models}}
    with pytest.raises(ValueError, match=expected.replace("GROUP", group)):
        SelfPlayDataModule(
            opponent_pool=pool,
            evaluation=EvaluationSettings(search=search, **known["evaluation"]),
            test=TestSettings(**known["test"]),
        )


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan"), True, "half", None])
def test_a_share_to_hide_is_checked(share: Any) -> None:
    with pytest.raises(ValueError, match=r"^replay\.hide_condition: .* given, expected a share from 0 to 1$"):
        ReplaySettings(hide_condition=share)


def test_hiding_from_a_network_that_is_told_nothing_is_refused() -> None:
    """Fails if a setting that can have no effect is taken in silence."""
    hiding = ReplaySettings(hide_condition=0.5)
    generation = GenerationSettings()
    check_network(ResidualMLP(width=8, blocks=0, condition="opponent"), "beasty_bar", generation, hiding)
    check_network(TransformerNetwork(width=8, layers=1, heads=1), "beasty_bar", generation, ReplaySettings())
    for network in (ResidualMLP(width=8, blocks=0), TransformerNetwork(width=8, layers=1, heads=1)):
        with pytest.raises(
            ValueError, match=rf"^replay\.hide_condition: 0\.5 .* {type(network).__name__} is told nothing"
        ):
            check_network(network, "beasty_bar", generation, hiding)


def test_opening_plies_are_the_game_s_where_none_are_given() -> None:
    """A run of a game without chance whose matches all go alike, or an opening longer than its games."""
    pool = OpponentPool(["random"])
    for game, plies in (("beasty_bar", 0), ("connect_four", 2)):
        groups = resolved(GenerationSettings(), EvaluationSettings(), TestSettings(), pool, pool.roster.copy(), game)
        assert [group.opening_plies for group in groups] == [plies, plies]
        groups = resolved(
            GenerationSettings(),
            EvaluationSettings(opening_plies=3),
            TestSettings(opening_plies=0),
            pool,
            pool.roster,
            game,
        )
        assert [group.opening_plies for group in groups] == [3, 0]
    for evaluated, tested, name in ((42, 0, "evaluation"), (0, 42, "test")):
        groups = EvaluationSettings(opening_plies=evaluated), TestSettings(opening_plies=tested)
        with pytest.raises(
            ValueError, match=rf"^{name}\.opening_plies: 42 given, expected a whole number from 0 to 41"
        ):
            resolved(GenerationSettings(), *groups, pool, pool.roster, "connect_four")
    with pytest.raises(ValueError, match=r"^test\.opening_plies: -1 given"):
        TestSettings(opening_plies=-1)


def test_nothing_can_be_changed_unchecked() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EvaluationSettings().games = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("pool", "evaluated", "tested", "expected"),
    [
        ([], None, None, (get_game("beasty_bar").opponents, get_game("beasty_bar").opponents)),
        (["queue", "online"], None, None, (("queue", "online"), ("queue", "online"))),
        (["queue"], ["random"], None, (("random",), ("random",))),
        (["queue"], ["random"], ["ismcts:2", "online"], (("random",), ("ismcts:2", "online"))),
        (["queue"], None, ["online"], (("queue",), ("online",))),
    ],
)
def test_opponents_that_are_not_given(pool: list[str], evaluated: Any, tested: Any, expected: Any) -> None:
    """Fails if validation has other opponents than the pool's or the game's, or the test others than validation."""
    opponents = OpponentPool(pool)
    roster = opponents.roster.copy()
    groups = EvaluationSettings(evaluated, simulations=3), TestSettings(tested, games=4)
    evaluation, test = resolved(GenerationSettings(), *groups, opponents, roster, "beasty_bar")
    assert (evaluation.opponents, test.opponents) == expected
    assert (evaluation.simulations, test.games) == (3, 4)
    assert set(roster) == {*pool, *expected[0], *expected[1]} and set(opponents.roster) == set(pool)


def test_an_adaptive_pool_holds_all_opponents_of_validation() -> None:
    pool = AdaptiveOpponentPool(["random", "online"])
    with pytest.raises(
        ValueError, match=r"^evaluation\.opponents: 'queue' is not in the adaptive pool.*its opponents are random, on"
    ):
        resolved(
            GenerationSettings(),
            EvaluationSettings(["random", "queue"]),
            TestSettings(),
            pool,
            pool.roster.copy(),
            "beasty_bar",
        )
    _, test = resolved(
        GenerationSettings(), EvaluationSettings(), TestSettings(["queue"]), pool, pool.roster.copy(), "beasty_bar"
    )
    assert test.opponents == ("queue",), "weights do not follow a test"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1.0, 0, 1), r"^batch_size: 0 given, expected a whole number from 1 to 10,000,000$"),
        ((1.0, 1, 0), r"^steps_per_iteration: 0 given, expected a whole number from 1 to 1,000,000,000$"),
        ((-0.1, 1, 1), r"^temperature: -0\.1 given, expected 0 or more$"),
        ((float("inf"), 1, 1), r"^temperature: inf given, expected 0 or more$"),
        ((float("nan"), 1, 1), r"^temperature: nan given, expected 0 or more$"),
    ],
)
def test_settings_of_no_group_are_checked(values: Any, expected: str) -> None:
    check_training(0.0, 1, 1)
    with pytest.raises(ValueError, match=expected):
        check_training(*values)


def test_workers_need_a_posix_system(monkeypatch: pytest.MonkeyPatch) -> None:
    check_asynchronous(OpponentPool(["random"]))
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(ValueError, match=r"^workers: given, expected null: worker processes need a POSIX system$"):
        check_asynchronous(OpponentPool(["random"]))


def test_the_help_of_each_field_is_in_the_class_s_docstring() -> None:
    """Fails if a field has no help text: `--help` shows it from the docstring."""
    for group in (EvaluationSettings, TestSettings, ReplaySettings):
        for field in dataclasses.fields(group):
            assert f"\n        {field.name}: " in (group.__doc__ or ""), (group, field.name)


@pytest.mark.parametrize("group", ["generation", "evaluation"])
def test_a_model_is_a_word_or_one_of_the_games_opponents(group: str) -> None:
    """Fails if a wrong name is found out only when the first game is played."""
    settings = GenerationSettings if group == "generation" else EvaluationSettings
    for model in ("skunk", "infer"):
        SelfPlayDataModule(**{group: settings(opponent_model=model)})
    refused = (
        ("beasty_bar", "tactical"),
        ("beasty_bar", "guess"),
        ("connect_four", "skunk"),
        ("connect_four", "infer"),
    )
    for game, model in refused:
        with pytest.raises(ValueError, match=rf"^{group}\.opponent_model: '{model}' given, expected one of none, t"):
            SelfPlayDataModule(game, **{group: settings(opponent_model=model)})


def test_known_opponents_are_checked_when_the_data_is_made() -> None:
    """Fails if they are not filled from the pool, or a wrong name is found out only when the first game is played."""
    pool = OpponentPool(["skunk", "ismcts:3"])
    assert SelfPlayDataModule(opponent_pool=pool).generation.known_opponents == ("skunk",)
    assert SelfPlayDataModule("connect_four").generation.known_opponents == get_game("connect_four").opponents
    with pytest.raises(
        ValueError, match=r"^generation\.known_opponents: 'skunk' given, expected a list of some of ran"
    ):
        SelfPlayDataModule("connect_four", generation=GenerationSettings(known_opponents=["skunk"]))
    with pytest.raises(ValueError, match=r"^opponent_pool: skunk plays"):
        SelfPlayDataModule("connect_four", opponent_pool=pool)


def test_a_model_needs_one_tree() -> None:
    several = SearchSettings(determinizations=4)
    with pytest.raises(ValueError, match=r"^evaluation\.opponent_model: 'told' given, expected none where .* are 4: "):
        EvaluationSettings(search=several, opponent_model="told")
    assert EvaluationSettings(search=several).opponent_model == "none"
