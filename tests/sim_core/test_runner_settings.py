"""The settings of a runner: their defaults, their bounds, and how wrong ones are named."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from sim_core import LeafBatch, RunnerSettings, SearchSettings, Trees
from sim_core.runner import GameRunner
from sim_core.tree_search.settings import MAX_SIMULATIONS


def test_defaults_and_bounds() -> None:
    settings = RunnerSettings(0)
    assert settings == RunnerSettings(simulations=0, search=SearchSettings(), value_target="outcome")
    assert RunnerSettings(MAX_SIMULATIONS).simulations == MAX_SIMULATIONS == 1_000_000
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.simulations = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"simulations": -1}, r"^simulations: -1 given, expected 0 \(the raw policy\) to 1,000,000$"),
        ({"simulations": MAX_SIMULATIONS + 1}, r"^simulations: 1000001 given"),
        ({"simulations": 1.5}, r"^simulations: 1\.5 given"),
        ({"simulations": True}, r"^simulations: True given"),
        ({"search": None}, r"^search: None given, expected SearchSettings$"),
        ({"value_target": "end"}, r"^value_target: 'end' given, expected outcome or endgame$"),
        ({"search": SearchSettings(determinizations=2)}, r"^determinizations: 2 given, expected 0"),
    ],
    ids=str,
)
def test_wrong_settings_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RunnerSettings(**({"simulations": 4} | change))
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RunnerSettings(4), **change)


def test_several_trees_are_nothing_to_the_raw_policy() -> None:
    assert RunnerSettings(0, SearchSettings(determinizations=2)).search.determinizations == 2


def test_a_runner_names_an_unknown_opponent() -> None:
    with pytest.raises(
        ValueError, match=r"^opponent_model: 'nobody' given, expected one of none, told, infer, random, "
    ):
        GameRunner(
            LeafBatch(Trees("beasty_bar", 1, 1)), RunnerSettings(1, opponent_model="nobody"), temperature=0.0, seed=0,
            learner_seed=0, streams=[], first_player=[], controllers=np.zeros((0, 2), dtype=np.int64),
        )  # fmt: skip


def test_settings_travel_to_another_process() -> None:
    settings = RunnerSettings(8, SearchSettings(c_puct=2.0), "endgame")
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("wrong", [None, SearchSettings(), {"simulations": 4}], ids=lambda value: type(value).__name__)
def test_a_runner_takes_no_other_settings(wrong: Any) -> None:
    with pytest.raises(ValueError, match=rf"^settings: {type(wrong).__name__} given, expected RunnerSettings$"):
        GameRunner(
            LeafBatch(Trees("beasty_bar", 1, 1)),
            wrong,
            temperature=0.0,
            seed=0,
            learner_seed=0,
            streams=[0],
            first_player=[0],
            controllers=[[0, 0]],
        )
