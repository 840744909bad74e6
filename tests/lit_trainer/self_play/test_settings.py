"""The groups of settings of self-play: what they refuse, whoever makes them, and what they stand at."""

from __future__ import annotations

import dataclasses
import math
import pickle
from typing import Any

import pytest
import torch
from support.pool_tools import First

from lit_trainer import OpponentPool
from lit_trainer.self_play.settings import GenerationSettings, WorkerSettings
from sim_core import DEFAULT_OPPONENTS, OPPONENTS, SearchSettings

WHOLE_NUMBERS = [
    (GenerationSettings, "games", 1, 10_000_000),
    (GenerationSettings, "simulations", 0, 1_000_000),
    (GenerationSettings, "parallel_games", 1, 1_000_000),
    (GenerationSettings, "threads", 1, 1024),
    (WorkerSettings, "count", 1, 1024),
    (WorkerSettings, "max_staleness", 1, 1_000_000_000),
]


@pytest.mark.parametrize(("group", "field", "lowest", "highest"), WHOLE_NUMBERS)
def test_whole_numbers_have_bounds(group: type[Any], field: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert getattr(group(**{field: value}), field) == value
    for value in (lowest - 1, highest + 1, float(lowest), True, "3", None):
        with pytest.raises(ValueError) as raised:
            group(**{field: value})
        expected = f"{group.group}.{field}: {value!r} given, expected a whole number from {lowest} to {highest:,}"
        assert str(raised.value) == expected


def test_a_copy_is_checked_too() -> None:
    """Fails if a schedule can drive a number out of its bounds unseen."""
    settings = GenerationSettings()
    assert dataclasses.replace(settings, games=7).games == 7 and settings.games == 512
    with pytest.raises(ValueError, match=r"^generation\.games: 0 given, expected a whole number from 1 to 10,000,000$"):
        dataclasses.replace(settings, games=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.games = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("evaluator", "onnx", "one of torch, torch_bf16, onnx_fp32, onnx_int8"),
        ("evaluator", ["torch"], "one of torch, torch_bf16, onnx_fp32, onnx_int8"),
        ("value_target", "end", "one of outcome, endgame"),
        ("value_target", None, "one of outcome, endgame"),
    ],
)
def test_names_are_known_ones(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError) as raised:
        GenerationSettings(**{field: value})
    assert str(raised.value) == f"generation.{field}: {value!r} given, expected {expected}"


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "5", 2_000_000_000])
def test_a_timeout_is_of_seconds_or_none(value: Any) -> None:
    assert WorkerSettings(timeout=None).timeout is None and WorkerSettings(timeout=0.5).timeout == 0.5
    with pytest.raises(ValueError, match=rf"^workers\.timeout: {value!r} given, expected seconds above 0 up to "):
        WorkerSettings(timeout=value)


@pytest.mark.parametrize("value", ["gpu", "cuda:x", "", 0.5])
def test_a_device_is_one_that_torch_knows(value: Any) -> None:
    for device in ("auto", "cpu", "cuda", "cuda:1"):
        assert WorkerSettings(device=device).device == device
    with pytest.raises(ValueError) as raised:
        WorkerSettings(device=value)
    assert str(raised.value) == f"workers.device: {value!r} given, expected auto, cpu, cuda or cuda:N"


def test_the_device_follows_the_trainer() -> None:
    assert WorkerSettings(device="cuda:1").device_for(torch.device("cpu")) == "cuda:1"
    assert WorkerSettings().device_for(torch.device("cpu")) == "cpu"


def test_defaults_are_those_of_a_run() -> None:
    assert dataclasses.asdict(GenerationSettings()) == {
        "games": 512,
        "simulations": 32,
        "search": dataclasses.asdict(SearchSettings(dirichlet_fraction=0.25)),
        "evaluator": "torch",
        "value_target": "outcome",
        "opponent_model": "none",
        "known_opponents": None,
        "parallel_games": 1024,
        "threads": 2,
    }
    assert dataclasses.asdict(WorkerSettings()) == {
        "count": 1,
        "max_staleness": 2,
        "timeout": 300.0,
        "device": "auto",
    }


@pytest.mark.parametrize(
    ("given", "pool", "known"),
    [
        (None, None, OPPONENTS),
        (None, OpponentPool(), DEFAULT_OPPONENTS),
        (None, OpponentPool(["ismcts:3", "online", "skunk", "mine"], agents={"mine": First()}), ("skunk", "online")),
        (None, OpponentPool([]), OPPONENTS),
        (["queue", "random"], OpponentPool(["skunk"]), ("random", "queue")),
        ([], None, ()),
    ],
)
def test_known_opponents_are_those_of_the_pool_unless_they_are_named(
    given: Any, pool: OpponentPool | None, known: tuple[str, ...]
) -> None:
    settings = GenerationSettings(games=7, known_opponents=given)
    found = settings.with_known_opponents(pool, "beasty_bar")
    assert found == dataclasses.replace(settings, known_opponents=tuple(k for k in OPPONENTS if k in known))


def test_an_unknown_known_opponent_is_named() -> None:
    for names, wrong in ((["skunk", "tactical"], "tactical"), ("skunk", "skunk"), (3, 3)):
        settings = GenerationSettings(known_opponents=names)  # type: ignore[arg-type]
        with pytest.raises(
            ValueError, match=rf"^generation\.known_opponents: {wrong!r} given, expected a list of some of random, "
        ):
            settings.with_known_opponents(None, "beasty_bar")


def test_settings_reach_another_process_whole() -> None:
    settings = GenerationSettings(games=7, search=SearchSettings(c_puct=2.0), value_target="endgame")
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_the_help_of_each_field_is_in_the_class_s_docstring() -> None:
    """Fails if a field has no help text: `--help` shows it from the docstring."""
    for group in (GenerationSettings, WorkerSettings):
        for field in dataclasses.fields(group):
            assert f"\n        {field.name}: " in (group.__doc__ or ""), (group, field.name)
