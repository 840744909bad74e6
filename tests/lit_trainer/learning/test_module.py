"""The module: results of evaluations by opponent, whatever loaders the batches come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from support.trainers import quiet_trainer
from torch.utils.data import DataLoader, IterableDataset

from callbacks import AdaptiveOpponentCallback
from lit_trainer import (
    AdaptiveOpponentPool,
    AlphaZeroModule,
    EvaluationSettings,
    GenerationSettings,
    OpponentPool,
    ResidualMLP,
    SelfPlayDataModule,
    TestSettings,
)

Make = Callable[..., ResidualMLP]


class Batches(IterableDataset[dict[str, Any]]):
    """Yields a user's own matches, for example against players of another program."""

    def __init__(self, *batches: dict[str, Any]) -> None:
        super().__init__()
        self.batches = batches

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.batches)


def loader(*batches: dict[str, Any]) -> DataLoader[Any]:
    return DataLoader(Batches(*batches), batch_size=None)


def trainer_in(folder: Path) -> Trainer:
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


OWN = {"opponent": "gnu", "outcome": torch.tensor([1, 0, -1, 1])}
OTHER = {"opponent": "stock", "outcome": torch.tensor([1, 1]), "margin": torch.tensor([5, 1])}


@pytest.mark.parametrize("loaders", [[loader(OWN)], [loader(OTHER), loader(OWN)], [loader(OTHER, OWN, OTHER)]])
def test_own_validation_loaders_need_no_data_module(loaders: list[Any], make_network: Make, tmp_path: Path) -> None:
    """Fails if results depend on the loaders' number or order, and not on the opponent that a batch names."""
    module = AlphaZeroModule(make_network())
    trainer = trainer_in(tmp_path)
    trainer.validate(module, loaders, verbose=False)
    assert module.evaluation["gnu"].score == 0.625
    logged = trainer.callback_metrics
    assert logged["val/win_rate/gnu"] == 0.625 and "val/margin/gnu" not in logged
    if len(module.evaluation) > 1:
        assert logged["val/median_margin/stock"] == logged["val/margin/stock"] == 3.0
        assert (logged["val/mean_win_rate"], logged["val/worst_win_rate"]) == (0.8125, 0.625)


@pytest.mark.parametrize("count", [1, 3])
def test_own_loaders_beside_the_data_module_of_this_project(count: int, make_network: Make, tmp_path: Path) -> None:
    """Fails if there have to be as many loaders as `evaluation.opponents` names."""

    class Data(SelfPlayDataModule):
        def val_dataloader(self) -> list[DataLoader[Any]]:
            return [loader(OWN | {"opponent": f"own_{k}"}) for k in range(count)]

    module = AlphaZeroModule(make_network())
    data = Data(evaluation=EvaluationSettings(["random", "online"], games=2))
    trainer_in(tmp_path).validate(module, data, verbose=False)
    assert list(module.evaluation) == [f"own_{k}" for k in range(count)]


def test_the_data_module_s_batches_say_what_they_are_of(make_network: Make, tmp_path: Path) -> None:
    data = SelfPlayDataModule(
        opponent_pool=OpponentPool(["random", "online"]),
        generation=GenerationSettings(threads=1),
        evaluation=EvaluationSettings(games=4),
        test=TestSettings(["queue"], 2, [3, 0]),
    )
    module, trainer = AlphaZeroModule(make_network()), trainer_in(tmp_path)
    trainer.validate(module, data, verbose=False)
    assert {name: result.games for name, result in module.evaluation.items()} == {"random": 4, "online": 4}
    kinds = ("win_rate", "draw_rate", "win_rate_low", "win_rate_high", "margin", "median_margin", "distinct_games")
    expected = {f"val/{kind}/{name}" for kind in kinds for name in ("random", "online")}
    assert set(trainer.callback_metrics) == expected | {"val/mean_win_rate", "val/worst_win_rate"}
    trainer.test(module, data, verbose=False)
    assert {number: list(results) for number, results in module.measurement.items()} == {3: ["queue"], 0: ["queue"]}
    for prefix in ("test", "test/sims_3", "test/sims_0"):
        assert {f"{prefix}/{kind}/queue" for kind in kinds} <= set(trainer.callback_metrics)
    batch = next(iter(data.test_dataloader()[1]))
    assert (batch["opponent"], batch["simulations"]) == ("queue", 0)
    assert (batch["outcome"].dtype, batch["margin"].dtype) == (torch.int8, torch.int32)


def test_a_further_model_changes_nothing_of_a_run(make_network: Make, tmp_path: Path) -> None:
    """Fails if weights of opponents, or figures by a name of before, follow any model but the first."""

    def run(*models: str) -> tuple[dict[str, float], dict[str, float]]:
        pool = AdaptiveOpponentPool(["online", "queue"], self_play_share=0.5, past_share=0.0)
        data = SelfPlayDataModule(
            opponent_pool=pool,
            generation=GenerationSettings(games=8, simulations=2, threads=1),
            evaluation=EvaluationSettings(games=20, simulations=8, opponent_model=models),
            steps_per_iteration=1,
            batch_size=8,
            seed=3,
        )
        adaptive = AdaptiveOpponentCallback("trainer.datamodule.opponent_pool")
        trainer = quiet_trainer(max_epochs=2, callbacks=[adaptive], default_root_dir=tmp_path)
        trainer.fit(AlphaZeroModule(make_network(1)), data)
        timed = re.compile("^selfplay/.*(second|_share)")
        logged = {name: float(value) for name, value in trainer.callback_metrics.items() if not timed.match(name)}
        return pool.weights, logged

    told, none, both = run("told"), run("none"), run("told", "none")
    assert both[0] == told[0] != none[0]
    further = {f"val/none/{name}": both[1].pop(f"val/none/{name}") for name in ("online", "queue")}
    assert both[1] == told[1] and not {name for name in told[1] if name.startswith("val/told/")}
    assert all(0.0 <= score <= 1.0 for score in further.values())
    assert further != {f"val/none/{name}": told[1][f"val/win_rate/{name}"] for name in ("online", "queue")}


def test_a_test_s_short_names_are_of_its_first_number_of_simulations(make_network: Make, tmp_path: Path) -> None:
    """A strength with search that is logged as the policy's; and the next test's results are its own alone."""
    won, lost = torch.tensor([1, 1]), torch.tensor([-1, -1])
    module, trainer = AlphaZeroModule(make_network()), trainer_in(tmp_path)
    matches = [{"opponent": "gnu", "outcome": won, "simulations": 8}, {"opponent": "gnu", "outcome": lost}]
    trainer.test(module, loader(*matches), verbose=False)
    logged = {name: float(value) for name, value in trainer.callback_metrics.items() if "win_rate/gnu" in name}
    assert logged == {"test/win_rate/gnu": 1.0, "test/sims_8/win_rate/gnu": 1.0, "test/sims_0/win_rate/gnu": 0.0}
    trainer.test(module, loader({"opponent": "stock", "outcome": won, "simulations": 3}), verbose=False)
    assert {number: list(results) for number, results in module.measurement.items()} == {3: ["stock"]}


def test_a_batch_without_a_name_is_refused(make_network: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing found at 'opponent'"):
        trainer_in(tmp_path).validate(
            AlphaZeroModule(make_network()), loader({"outcome": torch.tensor([1, 1])}), verbose=False
        )


@pytest.mark.parametrize(
    ("name", "value"), [("value_coef", -1.0), ("entropy_coef", float("inf")), ("search_value_share", 1.5)]
)
def test_weights_out_of_range_are_refused(name: str, value: float, make_network: Make) -> None:
    with pytest.raises(ValueError, match=f"^{name}: {value!r} given"):
        AlphaZeroModule(make_network(), **{name: value})  # type: ignore[arg-type]
