"""The data module: which matches validation and test play, what an iteration leaves behind, and what it saves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.checkpoints import assert_same
from support.trainers import quiet_trainer

from lit_trainer import (
    AlphaZeroModule,
    EvaluationSettings,
    GenerationSettings,
    OpponentPool,
    ReplaySettings,
    ResidualMLP,
    SelfPlayDataModule,
    TestSettings,
    TransformerNetwork,
)
from lit_trainer.measuring.matches import Match
from sim_core import get_game

Make = Callable[..., ResidualMLP]


def pool(*opponents: str, **options: Any) -> OpponentPool:
    return OpponentPool(opponents, **({"self_play_share": 0.5, "past_share": 0.0} | options))


def small(**options: Any) -> SelfPlayDataModule:
    given = {
        "opponent_pool": pool("random", "heuristic"),
        "generation": GenerationSettings(games=8, simulations=0, threads=1),
        "evaluation": EvaluationSettings(games=2),
        "test": TestSettings(games=4, simulations=(0, 2)),
        "replay": ReplaySettings(positions=500),
        "steps_per_iteration": 1,
        "batch_size": 8,
    }
    return SelfPlayDataModule(**(given | options))


def fitted(data: SelfPlayDataModule, network: ResidualMLP, folder: Path, iterations: int = 1) -> SelfPlayDataModule:
    trainer = quiet_trainer(default_root_dir=folder, max_epochs=iterations, limit_val_batches=0, log_every_n_steps=1)
    trainer.fit(AlphaZeroModule(network), data)
    return data


def matches_of(loaders: Any) -> list[Match]:
    return [loader.dataset.match for loader in loaders]


# ---------------------------------------------------------------------- matches


@pytest.mark.parametrize(
    ("given", "evaluated", "expected"),
    [
        (pool("random", "heuristic"), None, ["random", "heuristic"]),
        (pool("random", "heuristic"), ["queue"], ["queue"]),
        (None, None, list(get_game("beasty_bar").opponents)),
    ],
    ids=["the pool's", "those given", "all built-in ones"],
)
def test_validation_plays_each_opponent_once(given: Any, evaluated: Any, expected: list[str]) -> None:
    """A run whose pool names its opponents would be measured against others, or against none."""
    data = SelfPlayDataModule(opponent_pool=given, evaluation=EvaluationSettings(evaluated, simulations=3))
    assert list(data.evaluation.opponents or ()) == expected
    assert matches_of(data.val_dataloader()) == [Match(3, name) for name in expected]


def test_validation_plays_all_opponents_with_the_first_model_then_with_the_next() -> None:
    data = small(evaluation=EvaluationSettings(simulations=3, opponent_model=["told", "none"]))
    expected = [Match(3, name, model) for model in ("told", "none") for name in ("random", "heuristic")]
    assert matches_of(data.val_dataloader()) == expected


def test_a_test_plays_every_opponent_at_every_number_of_simulations() -> None:
    """Loaders in another order than the tables and the figures take them for."""
    data = SelfPlayDataModule(opponent_pool=pool("random", "heuristic"))
    assert data.test_matches == (
        Match(0, "random"),
        Match(0, "heuristic"),
        Match(16, "random"),
        Match(16, "heuristic"),
        Match(64, "random"),
        Match(64, "heuristic"),
        Match(256, "random"),
        Match(256, "heuristic"),
    )
    assert matches_of(data.test_dataloader()) == list(data.test_matches)


def test_a_test_measures_each_model_at_each_number_of_simulations() -> None:
    """Models whose matches are in another order than the tables, or a name that is taken for a list of letters."""
    for models, expected in ((["told", "none"], ("told", "none")), ("told", ("told",))):
        data = small(test=TestSettings(games=4, simulations=(2, 0), opponent_model=models))
        assert data.test_matches == tuple(
            Match(number, name, model) for number in (2, 0) for model in expected for name in ("random", "heuristic")
        )


def test_a_network_that_does_not_fit_is_refused() -> None:
    """A run that fails in its first game, after folders and loggers are made."""
    transformer = TransformerNetwork(width=8, layers=1, heads=1)
    small().check_game(transformer)
    with pytest.raises(ValueError, match=r"^game: the data plays connect_four, the network is for beasty_bar$"):
        SelfPlayDataModule(game="connect_four").check_game(transformer)
    with pytest.raises(ValueError, match=r"^network: TransformerNetwork given, expected a ResidualMLP"):
        small(generation=GenerationSettings(evaluator="onnx_int8")).check_game(transformer)


# ---------------------------------------------------------------------- an iteration


def test_an_iteration_s_games_are_counted_and_kept(make_network: Make, tmp_path: Path) -> None:
    """Positions that are played and not learned from, or progress that stands still or goes beyond the end."""
    told: list[tuple[float, int]] = []
    data = small()
    data.on_progress.append(lambda games, total: told.append((games, total)))
    fitted(data, make_network(), tmp_path)
    assert told == sorted(told) and told[-1] == (8, 8)
    stats = data.generation_stats.to_log()
    assert stats["games"] == 8
    assert stats["replay_positions"] == len(data.window) > 8 * 12


def test_the_window_is_of_the_newest_positions_and_the_pool_of_the_past(make_network: Make, tmp_path: Path) -> None:
    data = small(opponent_pool=pool("random", past_share=0.2, snapshot_every=2), replay=ReplaySettings(positions=100))
    fitted(data, make_network(), tmp_path, iterations=4)
    assert len(data.window) == 100
    assert list(data.opponent_pool.state_dict()["past"]) == [2]


def test_a_test_s_progress_is_over_all_its_matches(make_network: Make, tmp_path: Path) -> None:
    """A bar that begins anew with each match, or a second test that begins where the first one ended."""
    told: list[tuple[float, int]] = []
    data, module = small(), AlphaZeroModule(make_network())
    data.on_progress.append(lambda games, total: told.append((games, total)))
    for _ in range(2):
        told.clear()
        quiet_trainer(default_root_dir=tmp_path).test(module, data, verbose=False)
        assert told == sorted(told) and told[-1] == (16, 16)
        assert set(data.move_times) == {"sims:0", "sims:2"}


def test_a_test_counts_its_own_games_and_times_its_own_players(make_network: Make, tmp_path: Path) -> None:
    """A second test whose bar is full at its beginning, or that reports players of the first one."""
    told: list[float] = []
    data, module = small(), AlphaZeroModule(make_network())
    data.on_progress.append(lambda games, total: told.append(games))
    quiet_trainer(default_root_dir=tmp_path).test(module, data, verbose=False)
    told.clear()
    data.test = replace(data.test, simulations=(0,))
    quiet_trainer(default_root_dir=tmp_path).test(module, data, verbose=False)
    assert told[0] <= data.test.games and told[-1] == 2 * data.test.games
    assert set(data.move_times) == {"sims:0"}


def test_a_second_run_plays_with_its_own_network(make_network: Make, tmp_path: Path) -> None:
    """A generator that outlives its run goes on with the network of that run."""
    alone = {"opponent_pool": None, "evaluation": EvaluationSettings(["random"])}
    data = fitted(small(**alone), make_network(1), tmp_path)
    before = len(data.window)
    fitted(data, make_network(2), tmp_path)
    expected = fitted(small(**alone), make_network(2), tmp_path).window.state_dict()
    found = data.window.state_dict()
    for name in ("states", "values"):
        assert torch.equal(found[name][before:], expected[name]), name


# ---------------------------------------------------------------------- checkpoints


def test_pool_and_window_come_back(make_network: Make, tmp_path: Path) -> None:
    data = fitted(small(), make_network(), tmp_path)
    other = small(opponent_pool=pool("random", "heuristic"))
    other.load_state_dict(data.state_dict())
    assert_same(other.state_dict(), data.state_dict())
    assert len(other.window) > 0


def test_a_window_that_is_not_saved_is_told_at_the_resume(
    make_network: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if a checkpoint holds a window although it should not, or a resume does not say that it is missing."""
    data = fitted(small(replay=ReplaySettings(positions=500, save=False)), make_network(), tmp_path)
    state = data.state_dict()
    assert list(state) == ["opponent_pool"]
    other = small()
    with caplog.at_level(logging.WARNING):
        other.load_state_dict(state)
    assert "no replay window" in caplog.text and len(other.window) == 0


def test_the_seed_decides_what_is_played(make_network: Make, tmp_path: Path) -> None:
    first, again, other = (
        fitted(small(seed=seed), make_network(), tmp_path).window.state_dict()["states"] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)
