"""What reports read from a data module and a module: all of it, some of it, and nothing."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel

from lit_trainer import AlphaZeroModule, OpponentPool, ResidualMLP, SelfPlayDataModule
from lit_trainer.measuring.matches import Match
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.sources import RunData, results_of, run_data

EASY, HARD = MatchResult(2, 0, 0, 1.0, 0.3, 1.0), MatchResult(0, 0, 2, 0.0, 0.0, 0.7)


def trainer_of(data: Any) -> Any:
    trainer = Trainer(logger=False, accelerator="cpu", enable_progress_bar=False, enable_checkpointing=False)
    trainer.datamodule = data  # type: ignore[attr-defined]
    return trainer


def empty(data: RunData) -> bool:
    return (
        data.generation_stats is None
        and data.logged_stats == data.opponent_weights == data.move_times == data.test_facts == {}
        and data.window is data.on_progress is None
    )


@pytest.mark.parametrize("data", [None, BoringDataModule()], ids=["none", "another project's"])
def test_a_run_without_these_facts_has_nothing_to_report(data: Any) -> None:
    assert empty(run_data(trainer_of(data)))
    assert empty(run_data(SimpleNamespace()))  # type: ignore[arg-type]
    results = results_of(BoringModel())
    assert results.evaluation == results.measurement == results.tested == {}
    assert (results.iterations_done, results.network) == (0, None)


def test_the_data_module_of_this_project_offers_all_of_them() -> None:
    pool = OpponentPool(["random", "heuristic"], self_play_share=0.5, past_share=0.0)
    own = SelfPlayDataModule(opponent_pool=pool, seed=5)
    data = run_data(trainer_of(own))
    assert data.window is not None and len(data.window) == 0
    assert data.on_progress is own.on_progress
    assert data.opponent_weights == pool.weights
    assert data.move_times is own.move_times
    facts = data.test_facts
    assert (facts["game"], facts["seed"], facts["test_games"]) == ("beasty_bar", 5, 1000)
    assert facts["search"] == asdict(own.evaluation.search)


def test_each_fact_is_read_without_the_others_and_as_it_is_now() -> None:
    """A reader that asks for one attribute more than it needs, or keeps what it read."""
    stats = SimpleNamespace(generation_stats={"games": 3.0})
    data = run_data(trainer_of(stats))
    assert data.logged_stats == {"games": 3.0} and data.opponent_weights == {}
    stats.generation_stats = SimpleNamespace(to_log=lambda: {"games": 4.0})
    assert data.logged_stats == {"games": 4.0}
    assert run_data(trainer_of(SimpleNamespace(opponent_pool=object()))).opponent_weights == {}
    weighted = SimpleNamespace(opponent_pool=SimpleNamespace(weights={"easy": torch.tensor(0.25)}))
    assert run_data(trainer_of(weighted)).opponent_weights == {"easy": 0.25}
    assert run_data(trainer_of(SimpleNamespace(replay=object(), window=object()))).window is None


def test_results_are_those_of_the_module() -> None:
    module = AlphaZeroModule(ResidualMLP(width=8, blocks=0))
    results = results_of(module)
    assert results.network is module.network
    module.iterations_done = 7
    assert results.iterations_done == 7 and results.evaluation is module.evaluation
    module.evaluation_by_model = {"told": {"easy": EASY}}
    assert results.evaluation_by_model is module.evaluation_by_model
    module.tested = {Match(4, "easy", "told"): EASY, Match(4, "easy"): HARD}
    assert results.tested is module.tested and results.measurement == {4: {"easy": EASY}}
    other = BoringModel()
    other.evaluation = {"easy": HARD}
    assert results_of(other).evaluation_by_model == {"none": {"easy": HARD}}
    other.measurement = {4: {"easy": HARD}, 0: {"hard": EASY}}
    assert results_of(other).tested == {Match(4, "easy"): HARD, Match(0, "hard"): EASY}
    other.network = torch.nn.Linear(2, 2)
    assert results_of(other).network is None
