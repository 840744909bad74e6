"""The report of evaluations: a table after each one, and the learning curve of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer
from support.trainers import quiet_trainer

from lit_trainer import (
    AlphaZeroModule,
    EvaluationReport,
    EvaluationSettings,
    GenerationSettings,
    ResidualMLP,
    SelfPlayDataModule,
)
from lit_trainer.reporting.tables import percent

OPPONENTS = ["random", "queue"]


def parts(
    folder: Path, make_network: Callable[..., ResidualMLP], report: EvaluationReport, **evaluation: Any
) -> tuple[Trainer, AlphaZeroModule, SelfPlayDataModule]:
    data = SelfPlayDataModule(
        generation=GenerationSettings(games=4, simulations=2, threads=1),
        evaluation=EvaluationSettings(OPPONENTS, games=4, **evaluation),
        steps_per_iteration=1,
        batch_size=8,
        seed=3,
    )
    trainer = quiet_trainer(
        max_epochs=2,
        num_sanity_val_steps=1,
        log_every_n_steps=1,
        callbacks=[report],
        default_root_dir=folder,
    )
    return trainer, AlphaZeroModule(make_network(1)), data


def scores_of(table: str, module: AlphaZeroModule) -> bool:
    """Returns whether each opponent's line has its score."""
    lines = {line.split()[0]: line.split() for line in table.splitlines() if line.split()[:1]}
    return all(percent(module.evaluation[name].score) in lines[name][2:] for name in OPPONENTS)


def test_a_run_shows_each_evaluation_and_draws_its_curve(
    make_network: Callable[..., ResidualMLP], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of Lightning's check before the run, of another iteration, or of the evaluation before."""
    report = EvaluationReport("curve.png")
    trainer, module, data = parts(tmp_path, make_network, report)
    trainer.fit(module, data)
    begun, first, second = capsys.readouterr().out.split("Evaluation at iteration ")
    assert "opponent" not in begun and (first.split()[0], second.split()[0]) == ("1", "2")
    assert scores_of(second, module)
    assert list(report.history) == OPPONENTS
    for name in OPPONENTS:
        scores = report.history[name]
        assert list(scores) == [1, 2] and scores[2] == module.evaluation[name].score
        change = f"{100 * (scores[2] - scores[1]):+.1f}"
        (line,) = (line.split() for line in second.splitlines() if line.split()[:1] == [name])
        assert line[-1] == change
    assert f"Learning curve: {tmp_path / 'curve.png'}" in second.replace("\n", "")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_models_are_shown_side_by_side_and_the_curve_is_the_first_one_s(
    make_network: Callable[..., ResidualMLP], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if the scores of one model stand under another, or the curve or the changes mix both."""
    report = EvaluationReport()
    trainer, module, data = parts(tmp_path, make_network, report, simulations=8, opponent_model=["told", "none"])
    trainer.fit(module, data)
    *_, second = capsys.readouterr().out.split("Evaluation at iteration ")
    assert "score %, told" in second and list(module.evaluation_by_model) == ["told", "none"]
    assert module.evaluation == module.evaluation_by_model["told"]
    for name in OPPONENTS:
        told, none = (module.evaluation_by_model[model][name].score for model in ("told", "none"))
        (line,) = (line.split() for line in second.splitlines() if line.split()[:1] == [name])
        assert line[1:3] == [percent(told), percent(none)]
        assert report.history[name][2] == told and line[-1] == f"{100 * (told - report.history[name][1]):+.1f}"


def test_a_validation_outside_a_run_shows_its_table_and_draws_nothing(
    make_network: Callable[..., ResidualMLP], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer, module, data = parts(tmp_path, make_network, EvaluationReport())
    trainer.validate(module, data, verbose=False)
    said = capsys.readouterr().out
    assert "Evaluation at iteration 0" in said and scores_of(said, module)
    assert list(tmp_path.iterdir()) == []


def test_a_validation_after_a_run_is_of_the_run_s_last_iteration(
    make_network: Callable[..., ResidualMLP], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trained network shown as iteration 0, which the history then takes for where the run began."""
    report = EvaluationReport()
    trainer, module, data = parts(tmp_path, make_network, report)
    trainer.fit(module, data)
    assert "Evaluation at iteration 0" not in capsys.readouterr().out
    trainer.validate(module, data, verbose=False)
    assert "Evaluation at iteration 2" in capsys.readouterr().out
    assert list(report.history["random"]) == [1, 2] and module.iterations_done == 2
