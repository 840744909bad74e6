"""A test by `Trainer.test`: which matches it plays, that its numbers are theirs, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning.pytorch import Trainer

from lit_trainer import (
    AlphaZeroModule,
    GenerationSettings,
    OpponentPool,
    ResidualMLP,
    SelfPlayDataModule,
    TestSettings,
    TorchEvaluator,
)
from lit_trainer.measuring.matches import play_match
from lit_trainer.players.engine_players import BuiltinPlayer, IsmctsPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.reporting.evaluation_report import EvaluationReport
from lit_trainer.utils.seeding import derive_seed

GAMES = 8
OPPONENTS = ["online", "ismcts:4"]


def measured(folder: Path, network: ResidualMLP, **options: Any) -> AlphaZeroModule:
    module = AlphaZeroModule(network)
    given: dict[str, Any] = {"test": TestSettings(OPPONENTS, GAMES, [5, 0]), "seed": 9}
    data = SelfPlayDataModule(**(given | {"generation": GenerationSettings(threads=1)} | options))
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[EvaluationReport()],
        default_root_dir=folder,
    )
    trainer.test(module, data, verbose=False)
    return module


def test_results_are_those_of_the_matches(
    make_network: Callable[..., ResidualMLP], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Simulations, opponents or seats that are taken for one another; the same result from the same seed."""
    network = make_network(1)
    module = measured(tmp_path, network)
    assert {number: list(results) for number, results in module.measurement.items()} == dict.fromkeys((5, 0), OPPONENTS)
    for name in OPPONENTS:
        seed = derive_seed(9, "test", name)
        other = derive_seed(seed, "opponent")
        opponent = IsmctsPlayer(4, other) if name == "ismcts:4" else BuiltinPlayer(name, other)
        for number in (0, 5):
            player = NetworkPlayer(
                TorchEvaluator(network.eval()), simulations=number, temperature=0.0, seed=derive_seed(seed, "search")
            )
            outcomes, margins, _ = play_match(player, opponent, GAMES, game="beasty_bar", seed=seed)
            found = module.measurement[number][name]
            counts = tuple((outcomes == kind).sum() for kind in (1, 0, -1))
            assert (found.wins, found.draws, found.losses) == counts
            assert found.margin == pytest.approx(margins.mean())
            assert found.median_margin == np.median(margins)
    said = json.loads((tmp_path / "test.json").read_text())
    assert said["checkpoint"] is None and said["iteration"] == said["opening_plies"] == 0
    for row in said["results"]:
        assert (row["distinct_games"], row["independent_pairs"]) == (GAMES, GAMES / 2)
        assert row["median_margin"] == module.measurement[row["simulations"]][row["opponent"]].median_margin
    assert (tmp_path / "test.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test.json", "test.png"]
    assert "5 simulations" in capsys.readouterr().out
    again = measured(tmp_path, network, generation=GenerationSettings(threads=2, parallel_games=3))
    assert again.measurement == module.measurement


def test_what_the_player_knows_is_measured_side_by_side(
    make_network: Callable[..., ResidualMLP], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Matches told that overwrite those that are not, or a search that is told and plays as if it were not."""
    network = make_network(1)
    games = {"test": TestSettings(OPPONENTS, 40, [5], opponent_model=["none", "told"])}
    both = measured(tmp_path / "both", network, **games)
    printed = capsys.readouterr().out
    assert printed.count("5 simulations (none: ") == 1 and "; told: " in printed and "score %, told" in printed
    rows = json.loads((tmp_path / "both" / "test.json").read_text())
    assert [(row.get("opponent_model"), row["opponent"]) for row in rows["results"]] == [
        *((None, name) for name in OPPONENTS),
        *(("told", name) for name in OPPONENTS),
    ]
    assert set(rows["ms_per_move"]) == {"sims:5", "sims:5+told", "ismcts:4"}
    none, told = (
        measured(tmp_path / model, network, test=TestSettings(OPPONENTS, 40, [5], opponent_model=model))
        for model in ("none", "told")
    )
    assert both.measurement == none.measurement, "the first model's, as if it were alone"
    assert both.tested == none.tested | told.tested
    assert told.measurement[5]["online"] != none.measurement[5]["online"]
    assert told.measurement[5]["ismcts:4"] == none.measurement[5]["ismcts:4"], "nothing is known of it"
    alone = capsys.readouterr().out
    assert "5 simulations, told (" in alone and "score %, told" not in alone
    for name in ("none", "both"):
        facts = json.loads((tmp_path / name / "test.json").read_text())
        assert all("opponent_model" not in row for row in facts["results"][:2])


def test_progress_counts_every_game_once(make_network: Callable[..., ResidualMLP], tmp_path: Path) -> None:
    seen: list[tuple[float, int]] = []

    class Data(SelfPlayDataModule):
        def setup(self, stage: str) -> None:
            self.on_progress.append(lambda played, total: seen.append((played, total)))

    module = AlphaZeroModule(make_network(1))
    games = TestSettings(["random", "ismcts:2"], GAMES, [0, 2], opponent_model=["none", "told"])
    data = Data(generation=GenerationSettings(threads=1), test=games)
    options: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    Trainer(accelerator="cpu", default_root_dir=tmp_path, **options).test(module, data, verbose=False)
    assert seen[-1] == (6 * GAMES, 6 * GAMES), "nobody can be told of ismcts:2, which is played once"
    assert [played for played, _ in seen] == sorted(played for played, _ in seen)


def test_opponents_that_think_are_timed(
    make_network: Callable[..., ResidualMLP], checkpoint_path: Path, tmp_path: Path
) -> None:
    """Fails if a frozen checkpoint or a tree search has no time per move, or a built-in opponent has one."""
    pool = OpponentPool(["random"], 0.5, 0.0, checkpoints={"frozen": {"path": str(checkpoint_path)}})
    names = ["random", "frozen", "ismcts:4"]
    measured(tmp_path, make_network(1), opponent_pool=pool, test=TestSettings(names, GAMES, [0]))
    times = json.loads((tmp_path / "test.json").read_text())["ms_per_move"]
    assert set(times) == {"sims:0", "frozen", "ismcts:4"}
