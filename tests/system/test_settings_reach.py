"""Each data setting of a configuration reaches where it acts, shown by its effect on a run of the real command line."""

from __future__ import annotations

import dataclasses
import inspect
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from support.cli_tools import BuiltOnce

from lit_trainer import (
    EvaluationSettings,
    GenerationSettings,
    ReplaySettings,
    SelfPlayDataModule,
    TestSettings,
    TorchEvaluator,
    TransformerNetwork,
    WorkerSettings,
)
from lit_trainer.cli.lightning_cli import LitTrainerCLI
from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.self_play.games import GeneratedGames
from lit_trainer.self_play.workers import asynchronous
from sim_core import get_game

pytestmark = pytest.mark.filterwarnings("ignore")

GROUPS = (GenerationSettings, EvaluationSettings, TestSettings, ReplaySettings, WorkerSettings)
BASE: Mapping[str, str] = {
    "model.network": "lit_trainer.ResidualMLP",
    "model.network.init_args.width": "8",
    "model.network.init_args.blocks": "0",
    "trainer.accelerator": "cpu",
    "trainer.max_epochs": "1",
    "trainer.limit_val_batches": "0",
    "trainer.num_sanity_val_steps": "0",
    "trainer.logger": "false",
    "trainer.enable_checkpointing": "false",
    "trainer.callbacks": "[]",
    "trainer.enable_progress_bar": "false",
    "trainer.enable_model_summary": "false",
    "data.generation.games": "6",
    "data.generation.simulations": "4",
    "data.generation.threads": "1",
    "data.evaluation.opponents": "[online]",
    "data.evaluation.games": "10",
    "data.test.games": "2",
    "data.test.simulations": "[0]",
    "data.replay.positions": "500",
    "data.batch_size": "8",
    "data.steps_per_iteration": "1",
}
AGAINST_RANDOM = {
    "data.opponent_pool": "lit_trainer.OpponentPool",
    "data.opponent_pool.init_args.opponents": "[random]",
    "data.opponent_pool.init_args.self_play_share": "0",
    "data.opponent_pool.init_args.past_share": "0",
}


def made(**settings: Any) -> LitTrainerCLI:
    flags = dict(BASE) | {name.replace("__", "."): str(value) for name, value in settings.items()}
    return BuiltOnce([f"--{name}={value}" for name, value in flags.items()], run=False)


def fitted(callback: Callback | None = None, **settings: Any) -> LitTrainerCLI:
    cli = made(**settings)
    if callback is not None:
        cli.trainer.callbacks.append(callback)  # type: ignore[attr-defined]
    cli.trainer.fit(cli.model, cli.datamodule)
    return cli


def data(**settings: Any) -> SelfPlayDataModule:
    found = fitted(**settings).datamodule
    assert isinstance(found, SelfPlayDataModule)
    return found


def positions(**settings: Any) -> dict[str, Any]:
    """Returns what one iteration put into the window."""
    return data(**settings).window.state_dict()


@cache
def base() -> dict[str, Any]:
    return positions()


def differs(**settings: Any) -> None:
    """Asserts that other positions are played than without the setting."""
    found = positions(**settings)["states"]
    assert found.shape != base()["states"].shape or not torch.equal(found, base()["states"])


def validated(**settings: Any) -> dict[str, Any]:
    cli = made(**{**settings, "trainer__limit_val_batches": "1.0"})
    cli.trainer.validate(cli.model, cli.datamodule, verbose=False)
    return {name: dataclasses.astuple(result) for name, result in cli.model.evaluation.items()}


def measured(**settings: Any) -> dict[int, Any]:
    cli = made(**settings)
    cli.trainer.test(cli.model, cli.datamodule, verbose=False)
    return dict(cli.model.measurement)


class Batches(Callback):
    """Notes how many positions each batch holds."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.sizes.append(len(batch["outcome"]))


def reach_game() -> None:
    found = data(
        data__game="connect_four", model__network__init_args__game="connect_four", data__evaluation__opponents="null"
    )
    assert found.window.game == "connect_four" and found.evaluation.opponents == get_game("connect_four").opponents
    batch = found.window.sample(3, np.random.default_rng(0))
    assert batch["observations"].shape[1] == get_game("connect_four").observation_size


def reach_opponent_pool() -> None:
    stats = fitted(**{key.replace(".", "__"): value for key, value in AGAINST_RANDOM.items()}).trainer.callback_metrics
    assert stats["selfplay/games/random"] == 6 and "selfplay/games/self_play" not in stats


def reach_games() -> None:
    assert fitted(data__generation__games=9).trainer.callback_metrics["selfplay/games"] == 9


def reach_simulations() -> None:
    assert base()["policies"].any()
    assert not positions(data__generation__simulations=0)["policies"].any()


def reach_search() -> None:
    differs(data__generation__search__c_puct=40)
    # completed Q gives every legal action a share, also those that four simulations never visit
    found = positions(
        data__generation__search__root_selection="gumbel", data__generation__search__policy_target="completed_q"
    )
    assert (found["policies"] != 0).sum(dim=1).float().mean() > (base()["policies"] != 0).sum(dim=1).float().mean()


def reach_evaluator() -> None:
    rounded = positions(data__generation__evaluator="torch_bf16")
    same = rounded["states"].shape == base()["states"].shape and torch.equal(rounded["values"], base()["values"])
    assert not same, "8 bits of mantissa give other values"


def reach_value_target() -> None:
    pool = {key.replace(".", "__"): value for key, value in AGAINST_RANDOM.items()}
    kinds = [
        positions(
            **pool, data__generation__games=60, data__generation__simulations=0, data__generation__value_target=kind
        )
        for kind in ("outcome", "endgame")
    ]
    assert torch.equal(kinds[0]["states"], kinds[1]["states"])
    assert not torch.equal(kinds[0]["outcomes"], kinds[1]["outcomes"])


def reach_parallel_games() -> None:
    largest: list[int] = []
    original = TransformerNetwork.forward

    def noted(self: TransformerNetwork, observations: torch.Tensor) -> Any:
        largest.append(len(observations))
        return original(self, observations)

    sizes = []
    for parallel in (2, 6):
        largest.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TransformerNetwork, "forward", noted)
            cli = BuiltOnce(
                [
                    *(f"--{name}={value}" for name, value in BASE.items() if not name.startswith("model.")),
                    "--model.network=lit_trainer.TransformerNetwork",
                    "--model.network.init_args={width: 8, layers: 1, heads: 1}",
                    f"--data.generation.parallel_games={parallel}",
                    "--data.batch_size=1",
                ],
                run=False,
            )
            cli.trainer.fit(cli.model, cli.datamodule)
        sizes.append(max(largest))
    assert sizes == [2, 6]


def reach_threads() -> None:
    def asking(threads: int) -> int:
        """Returns how many threads ask the network."""
        seen: set[threading.Thread] = set()
        ask = TorchEvaluator.__call__

        def noted(self: TorchEvaluator, *positions: Any) -> Any:
            seen.add(threading.current_thread())
            return ask(self, *positions)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TorchEvaluator, "__call__", noted)
            cli = made(data__generation__games=64, data__generation__threads=threads)
            cli.trainer.fit(cli.model, cli.datamodule)
        return len(seen)

    assert [asking(1), asking(2)] == [1, 2]


def reach_temperature() -> None:
    differs(data__temperature=0)


def reach_batch_size() -> None:
    batches = Batches()
    fitted(batches, data__batch_size=5)
    assert batches.sizes == [5]


def reach_steps_per_iteration() -> None:
    assert fitted(data__steps_per_iteration=3).trainer.global_step == 3


def reach_seed() -> None:
    again = positions()
    assert torch.equal(again["states"], base()["states"]) and torch.equal(again["policies"], base()["policies"])
    differs(seed_everything=7)


def reach_positions() -> None:
    assert len(data(data__replay__positions=10).window) == 10


def reach_save() -> None:
    assert {save: "replay" in data(data__replay__save=save).state_dict() for save in ("true", "false")} == {
        "true": True,
        "false": False,
    }


def reach_hide_condition() -> None:
    class Told(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            told.append(bool(batch["condition"].any()))

    add = ReplayWindow.add

    def add_told(self: ReplayWindow, games: GeneratedGames) -> None:
        conditions = np.full((len(games.states), self.condition_size), 255, np.uint8)
        add(self, dataclasses.replace(games, conditions=conditions))

    told: list[bool] = []
    for share in (0, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ReplayWindow, "add", add_told)
            fitted(Told(), model__network__init_args__condition="opponent", data__replay__hide_condition=share)
    assert told == [True, False]


def reach_evaluation_opponents() -> None:
    assert list(validated(data__evaluation__opponents="[queue,random]")) == ["queue", "random"]


def reach_evaluation_games() -> None:
    wins, draws, losses = validated(data__evaluation__games=6)["online"][:3]
    assert wins + draws + losses == 6


def reach_evaluation_simulations() -> None:
    assert validated(data__evaluation__simulations=16) != validated()


def reach_evaluation_search() -> None:
    eight = {"data__evaluation__simulations": 8}
    assert validated(**eight, data__evaluation__search__c_puct=50) != validated(**eight)
    eight = {"data__test__simulations": "[8]", "data__test__games": 10, "data__test__opponents": "[online]"}
    assert measured(**eight, data__evaluation__search__c_puct=50) != measured(**eight)


FOUR = {
    "data__game": "connect_four",
    "model__network__init_args__game": "connect_four",
    "data__evaluation__opponents": "[support.pool_tools.First]",
}
"""Matches of players that never vary, in a game without chance."""


def reach_evaluation_opening_plies() -> None:
    results = [
        MatchResult(*validated(**FOUR, data__evaluation__opening_plies=plies)["First"]) for plies in (0, "null", 4)
    ]
    assert [result.distinct_games == 2 for result in results] == [True, False, False]


def reach_test_opening_plies() -> None:
    results = [
        measured(**FOUR, data__test__games=10, data__test__opening_plies=plies)[0]["First"] for plies in (0, "null", 4)
    ]
    assert [result.distinct_games == 2 for result in results] == [True, False, False]


def reach_test_opponents() -> None:
    assert list(measured(data__test__opponents="[queue,random]")[0]) == ["queue", "random"]
    assert list(measured()[0]) == ["online"]


def reach_test_games() -> None:
    assert measured(data__test__games=4)[0]["online"].games == 4


def reach_test_simulations() -> None:
    assert list(measured(data__test__simulations="[3,0]")) == [3, 0]


KNOWING = {"data__evaluation__games": 40, "data__test__games": 40, "data__test__simulations": "[16]"}


def reach_generation_opponent_model() -> None:
    pool = {key.replace(".", "__"): value for key, value in AGAINST_RANDOM.items()}
    states = [positions(**pool, data__generation__opponent_model=model)["states"] for model in ("none", "told")]
    assert states[0].shape != states[1].shape or not torch.equal(*states)


def reach_known_opponents() -> None:
    """Shows its effect on games, and on what validation and test tell apart."""
    pool = {key.replace(".", "__"): value for key, value in AGAINST_RANDOM.items()}
    inferring = {**KNOWING, **pool, "data__generation__opponent_model": "infer", "data__evaluation__simulations": 16}
    inferring |= dict.fromkeys(("data__evaluation__opponent_model", "data__test__opponent_model"), "infer")
    played = [
        positions(**inferring, data__generation__known_opponents=known)["states"]
        for known in ("null", "[random]", "[]", "[online]")
    ]
    assert torch.equal(played[0], played[1]), "the pool's"
    none = positions(**{**inferring, "data__generation__opponent_model": "none"})["states"]
    assert torch.equal(played[2], none)
    assert not any(torch.equal(played[0], other) for other in played[2:])
    for measure in (validated, measured):
        found = [measure(**inferring, data__generation__known_opponents=known) for known in ("[random]", "[online]")]
        assert found[0] != found[1]


def reach_evaluation_opponent_model() -> None:
    sixteen = {**KNOWING, "data__evaluation__simulations": 16}
    none, told, other = (
        validated(**sixteen, data__evaluation__opponent_model=model) for model in ("none", "told", "online")
    )
    assert none != told == other, "it is told that it plays online"
    cli = made(**sixteen, data__evaluation__opponent_model="[told,none]", trainer__limit_val_batches="1.0")
    cli.trainer.validate(cli.model, cli.datamodule, verbose=False)
    found = {
        model: {name: dataclasses.astuple(result) for name, result in results.items()}
        for model, results in cli.model.evaluation_by_model.items()
    }
    assert found == {"told": told, "none": none}


def reach_test_opponent_model() -> None:
    cli = made(**KNOWING, data__test__opponent_model="[none,told]")
    cli.trainer.test(cli.model, cli.datamodule, verbose=False)
    none, told = cli.model.tested.values()
    assert none != told and measured(**KNOWING) == {16: {"online": none}}
    assert measured(**KNOWING, data__test__opponent_model="told") == {16: {"online": told}}


def reach_workers() -> None:
    """Checks the settings of all worker processes, which start once."""
    seen: dict[str, Any] = {}

    class Noted(asynchronous.WorkerPool):
        def __init__(self, setups: Any, on_close: Any, timeout: float | None) -> None:
            seen.update(setups=setups, timeout=timeout)
            super().__init__(setups, on_close, timeout)
            seen["pids"] = self.pids

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asynchronous, "WorkerPool", Noted)
        fitted(data__workers="{count: 2, max_staleness: 5, timeout: 77, device: 'cpu:0'}")
    assert len(set(seen["pids"])) == 2 and seen["timeout"] == 77
    assert [(setup.max_staleness, setup.device) for setup in seen["setups"]] == [(5, "cpu:0")] * 2


REACHES: dict[str, Callable[[], None]] = {
    "game": reach_game,
    "opponent_pool": reach_opponent_pool,
    "temperature": reach_temperature,
    "batch_size": reach_batch_size,
    "steps_per_iteration": reach_steps_per_iteration,
    "seed": reach_seed,
    "generation.games": reach_games,
    "generation.simulations": reach_simulations,
    "generation.search": reach_search,
    "generation.evaluator": reach_evaluator,
    "generation.value_target": reach_value_target,
    "generation.opponent_model": reach_generation_opponent_model,
    "generation.known_opponents": reach_known_opponents,
    "generation.parallel_games": reach_parallel_games,
    "generation.threads": reach_threads,
    "evaluation.opponents": reach_evaluation_opponents,
    "evaluation.games": reach_evaluation_games,
    "evaluation.simulations": reach_evaluation_simulations,
    "evaluation.search": reach_evaluation_search,
    "evaluation.opening_plies": reach_evaluation_opening_plies,
    "evaluation.opponent_model": reach_evaluation_opponent_model,
    "test.opponents": reach_test_opponents,
    "test.games": reach_test_games,
    "test.simulations": reach_test_simulations,
    "test.opening_plies": reach_test_opening_plies,
    "test.opponent_model": reach_test_opponent_model,
    "replay.positions": reach_positions,
    "replay.save": reach_save,
    "replay.hide_condition": reach_hide_condition,
    **dict.fromkeys(("workers.count", "workers.max_staleness", "workers.timeout", "workers.device"), reach_workers),
}


def test_every_setting_is_in_the_table() -> None:
    """A new field without a test of its effect."""
    groups = {group.group: [field.name for field in dataclasses.fields(group)] for group in GROUPS}
    names = list(inspect.signature(SelfPlayDataModule).parameters)
    expected = [name for name in names if name not in groups]
    expected += [f"{group}.{name}" for group, fields in groups.items() for name in fields]
    assert sorted(REACHES) == sorted(expected)
    assert set(groups) <= set(names)


SLOW = {reach_workers: pytest.mark.slow}
ONCE = {reach: name for name, reach in REACHES.items()}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes to an empty folder, because runs write their configuration into the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(reach, ())) for reach, name in ONCE.items()])
def test_it_reaches(name: str) -> None:
    REACHES[name]()
