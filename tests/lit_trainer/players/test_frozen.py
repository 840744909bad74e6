"""Frozen checkpoints as opponents, and a run that begins with a checkpoint's weights."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from support.pool_tools import First
from support.trainers import quiet_trainer

from lit_trainer import (
    AdaptiveOpponentPool,
    AlphaZeroModule,
    EvaluationSettings,
    GenerationSettings,
    OpponentPool,
    ReplaySettings,
    ResidualMLP,
    SelfPlayDataModule,
    TorchEvaluator,
    TransformerNetwork,
    WorkerSettings,
    load_agent,
)
from lit_trainer.checkpoints.description import ENTRY
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.players.frozen import FrozenCheckpoint, make_frozen
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.utils.seeding import derive_seed
from sim_core import GameBatch


def positions(n: int = 40) -> GameBatch:
    batch = GameBatch(n, 3)
    for _ in range(4):
        batch.step(batch.opponent_actions("random", seed=1))
    return batch


def pool(path: Path, **options: Any) -> OpponentPool:
    return OpponentPool(["frozen"], 0.0, 0.0, checkpoints={"frozen": {"path": str(path), **options}})


@pytest.mark.parametrize("simulations", [0, 8])
def test_it_plays_as_the_checkpoint_s_agent(simulations: int, checkpoint_path: Path) -> None:
    """Another network, noise at the root, or moves that are sampled."""
    seed = derive_seed(0, "agent")  # the agent's own, and one stream for all positions, as the agent draws them
    states = [positions().state(i) for i in range(40)]
    batch = GameBatch.from_states(states, streams=0)
    player = pool(checkpoint_path, simulations=simulations).roster["frozen"].player(seed)
    expected = load_agent(checkpoint_path, simulations).select_actions(states)
    assert player.act(batch).actions.tolist() == [action.id for action in expected]
    warm = pool(checkpoint_path, simulations=simulations, temperature=1.0).roster["frozen"].player(seed)
    evaluator = TorchEvaluator(Checkpoint.read(checkpoint_path).network.eval())
    sampling = NetworkPlayer(evaluator, simulations=simulations, temperature=1.0, seed=seed)
    assert (warm.act(batch).actions == sampling.act(batch).actions).all()


def fit(network: ResidualMLP, opponents: OpponentPool, iterations: int = 2, **options: Any) -> SelfPlayDataModule:
    data = SelfPlayDataModule(
        opponent_pool=opponents,
        generation=GenerationSettings(games=12, simulations=2, threads=1),
        evaluation=EvaluationSettings(["frozen", "random"], games=4),
        replay=ReplaySettings(positions=2000),
        steps_per_iteration=3,
        batch_size=32,
        **options,
    )
    trainer = quiet_trainer(max_epochs=iterations, num_sanity_val_steps=0, log_every_n_steps=1)
    module = AlphaZeroModule(network)
    trainer.fit(module, data)
    assert set(module.evaluation) == {"frozen", "random"}
    return data


@pytest.mark.parametrize("simulations", [0, 2])
def test_a_run_plays_it_alone_and_leaves_it_as_it_is(
    simulations: int, checkpoint_path: Path, make_network: Any, tmp_path: Path
) -> None:
    """Weights that learn with the learner's, or a file that is read again once it has changed."""
    path = tmp_path / "iter1.ckpt"
    shutil.copy(checkpoint_path, path)
    opponents = pool(path, simulations=simulations)
    os.unlink(path)
    frozen = opponents.roster["frozen"]
    assert isinstance(frozen, FrozenCheckpoint)
    before = {key: value.clone() for key, value in frozen.network.state_dict().items()}
    learner = make_network(5)
    began = {key: value.clone() for key, value in learner.state_dict().items()}
    data = fit(learner, opponents)
    results = data.generation_stats.results
    assert sum(results["frozen"]) == 12 and "self_play" not in results
    assert len(data.window) == 2 * 12 * 12, "the learner's moves alone"
    after = frozen.network.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert any(not torch.equal(value, learner.state_dict()[key]) for key, value in began.items())
    assert "checkpoints" not in opponents.state_dict()


def test_adaptive_pools_weigh_it(checkpoint_path: Path, make_network: Any) -> None:
    opponents = AdaptiveOpponentPool(
        ["frozen", "random"], 0.0, 0.0, checkpoints={"frozen": {"path": checkpoint_path}}, rule="pfsp_hard"
    )
    opponents.update_weights_from_win_rates({"frozen": 0.2, "random": 0.9})
    data = fit(make_network(5), opponents, 1)
    results = data.generation_stats.results
    assert sum(results["frozen"]) > sum(results["random"]) > 0


@pytest.mark.timeout(120)
def test_workers_play_it(tmp_path: Path, make_network: Any, checkpoint_path: Path) -> None:
    """Fails if workers read the file again, which may be gone by then."""
    path = tmp_path / "iter1.ckpt"
    shutil.copy(checkpoint_path, path)
    opponents = pool(path)
    os.unlink(path)
    data = fit(make_network(5), opponents, 1, workers=WorkerSettings())
    assert sum(data.generation_stats.results["frozen"]) == 12


@pytest.mark.parametrize(
    ("match", "given"),
    [
        (r"^checkpoints\.frozen\.path: .*no file", {"path": "nowhere.ckpt"}),
        (r"^checkpoints\.frozen: .*expected {path", "iter600.ckpt"),
        (r"^checkpoints\.frozen: .*expected {path", {"simulations": 3}),
        (r"^checkpoints\.frozen: .*expected {path", {"path": "a.ckpt", "simulation": 3}),
        (r"^checkpoints\.frozen\.simulations: -1 ", {"path": "PATH", "simulations": -1}),
        (r"^checkpoints\.frozen\.simulations: True ", {"path": "PATH", "simulations": True}),
        (r"^checkpoints\.frozen\.temperature: nan ", {"path": "PATH", "temperature": float("nan")}),
        (r"^checkpoints\.frozen\.path: .*(truncated|no checkpoint)", {"path": "DAMAGED"}),
    ],
)
def test_what_is_refused(match: str, given: Any, checkpoint_path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(checkpoint_path.read_bytes()[:1000])
    if isinstance(given, dict) and given.get("path") in ("PATH", "DAMAGED"):
        given = given | {"path": checkpoint_path if given["path"] == "PATH" else damaged}
    with pytest.raises((ValueError, FileNotFoundError), match=match):
        make_frozen("frozen", given)


@pytest.mark.parametrize("name", ["self_play", "past_50", "random", "ismcts:10", "mine"])
def test_names_that_mean_another_player(name: str, make_network: Any) -> None:
    frozen = FrozenCheckpoint(make_network())
    with pytest.raises(ValueError, match=rf"^checkpoints: {name} "):
        OpponentPool([name], checkpoints={name: frozen}, agents={"mine": First()})


def test_a_checkpoint_of_another_game_is_refused() -> None:
    frozen = FrozenCheckpoint(ResidualMLP("connect_four", width=8, blocks=0))
    opponents = OpponentPool(["frozen"], checkpoints={"frozen": frozen})
    with pytest.raises(ValueError, match=r"^opponent_pool: frozen plays connect_four, expected beasty_bar"):
        SelfPlayDataModule(opponent_pool=opponents)
    idle = OpponentPool([], checkpoints={"frozen": frozen})
    with pytest.raises(ValueError, match=r"^evaluation\.opponents: frozen plays connect_four"):
        SelfPlayDataModule(opponent_pool=idle, evaluation=EvaluationSettings(["frozen"]))


# ---------------------------------------------------------------------- initial weights


def test_a_run_begins_with_a_checkpoint_s_weights(checkpoint_path: Path) -> None:
    saved = Checkpoint.read(checkpoint_path).contents["state_dict"]
    module = AlphaZeroModule(ResidualMLP(width=24, blocks=1), initial_weights=str(checkpoint_path))
    assert saved and all(torch.equal(value, module.state_dict()[key]) for key, value in saved.items())
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert module.iterations_done == 0


def test_heads_may_be_more_or_fewer_than_the_checkpoint_s(checkpoint_path: Path, tmp_path: Path) -> None:
    """Fails if a checkpoint is refused for heads that play never asks, or heads take other weights silently."""
    torch.manual_seed(1)
    heads = ResidualMLP(width=24, blocks=1, auxiliary=True)
    fresh = {key: value.clone() for key, value in heads.state_dict().items() if key.startswith("auxiliary_heads.")}
    module = AlphaZeroModule(heads, initial_weights=str(checkpoint_path), margin_coef=0.1)
    saved = Checkpoint.read(checkpoint_path).contents
    assert all(torch.equal(value, module.state_dict()[key]) for key, value in saved["state_dict"].items())
    assert fresh and all(torch.equal(value, heads.state_dict()[key]) for key, value in fresh.items())
    saved["state_dict"] = module.state_dict()
    saved[ENTRY]["network"]["init_args"]["auxiliary"] = True
    torch.save(saved, tmp_path / "heads.ckpt")
    plain = ResidualMLP(width=24, blocks=1)
    AlphaZeroModule(plain, initial_weights=str(tmp_path / "heads.ckpt"))
    assert all(torch.equal(value, heads.state_dict()[key]) for key, value in plain.state_dict().items())


@pytest.mark.parametrize(
    "network",
    [
        lambda: ResidualMLP(width=16, blocks=1),
        lambda: ResidualMLP("beasty_bar_animals", width=24, blocks=1),
        lambda: TransformerNetwork(width=16, layers=1),
    ],
)
def test_weights_of_another_network_are_refused(network: Any, checkpoint_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^initial_weights: .*is of another network"):
        AlphaZeroModule(network(), initial_weights=str(checkpoint_path))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"^initial_weights: there is no file 'nowhere.ckpt'"):
        AlphaZeroModule(ResidualMLP(width=8), initial_weights="nowhere.ckpt")
