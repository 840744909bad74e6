"""A run whose network can be told something goes on from one whose network could not, and loses nothing."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from support.trainers import quiet_trainer
from torch.optim import SGD, AdamW

from lit_trainer import (
    AlphaZeroModule,
    GenerationSettings,
    OpponentPool,
    ReplaySettings,
    ResidualMLP,
    SelfPlayDataModule,
)
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.cli.checkpoint_checks import check_weights
from lit_trainer.learning.resume import add_condition, check_resumable
from sim_core import GameBatch

pytestmark = pytest.mark.filterwarnings(
    "ignore:Be aware that when using `ckpt_path`:UserWarning"
)  # callbacks of iter600

LAYER = "condition_layer.weight"


class Begun(Callback):
    """Keeps what a run begins with, once everything is restored."""

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self.network = copy.deepcopy(pl_module.network)
        state = trainer.optimizers[0].state
        self.moments = {
            name: copy.deepcopy(state[parameter]) for name, parameter in pl_module.network.named_parameters()
        }
        self.rate = trainer.optimizers[0].param_groups[0]["lr"]


def resumed(folder: Path, ckpt_path: Path, iterations: int, **network: Any) -> tuple[Begun, SelfPlayDataModule, Any]:
    """Returns what a run began with that goes on from a checkpoint for one iteration."""
    data = SelfPlayDataModule(
        opponent_pool=OpponentPool(["random"], 0.5, 0.25, max_past=2),
        generation=GenerationSettings(games=4, simulations=2, threads=1),
        replay=ReplaySettings(positions=500),
        steps_per_iteration=1,
        batch_size=8,
    )
    begun = Begun()
    trainer = quiet_trainer(max_epochs=iterations, limit_val_batches=0, callbacks=[begun], default_root_dir=folder)
    trainer.fit(AlphaZeroModule(ResidualMLP(**network)), data, ckpt_path=ckpt_path)
    return begun, data, trainer


@pytest.fixture(scope="module")
def told(iter600: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Begun, SelfPlayDataModule, Path]:
    """Returns a run that goes on from the shipped player and can be told who it plays, and its checkpoint."""
    folder = tmp_path_factory.mktemp("told")
    begun, data, trainer = resumed(folder, iter600, 601, condition="opponent")
    trainer.save_checkpoint(folder / "told.ckpt")
    return begun, data, folder / "told.ckpt"


def test_the_first_forward_is_that_of_the_checkpoint(told: tuple[Begun, Any, Path], iter600: Path) -> None:
    """Fails if a run loses strength where it is first told something."""
    network, old = told[0].network.eval(), Checkpoint.read(iter600).network
    x = torch.from_numpy(GameBatch(50, 1).observe())
    with torch.no_grad():
        expected = old(x)
        for condition in (None, torch.rand(50, 10)):
            found = network(x, condition)
            assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_moments_keep_their_parameters(told: tuple[Begun, Any, Path], iter600: Path) -> None:
    """Fails if moments are taken by number: all behind the new layer would be another parameter's."""
    contents = Checkpoint.read(iter600).contents
    saved = contents["optimizer_states"][0]["state"]
    names = [name.removeprefix("network.") for name in contents["state_dict"]]
    found = told[0].moments
    assert set(found) == {LAYER, *names}
    for number, name in enumerate(names):
        assert found[name].keys() == saved[number].keys()
        for part in ("exp_avg", "exp_avg_sq", "step"):
            assert torch.equal(found[name][part], saved[number][part]), (name, part)
    assert found[LAYER]["step"] == saved[0]["step"] > 0
    assert found[LAYER]["exp_avg"].shape == (256, 10)
    assert not found[LAYER]["exp_avg"].any() and not found[LAYER]["exp_avg_sq"].any()


def test_past_networks_are_told_too_and_play(told: tuple[Any, SelfPlayDataModule, Path]) -> None:
    """Fails if a past checkpoint of before lacks the layer: it could not be built, or a worker reads what lay there."""
    _, data, path = told
    assert data.opponent_pool.past
    for iteration, weights in data.opponent_pool.past.items():
        assert weights[LAYER].dtype == torch.float16 and weights[LAYER].shape == (256, 10)
        if iteration < 600:
            assert not weights[LAYER].any()
    assert len(data.window) > 0 and data.window.condition_size == 10
    saved = Checkpoint.read(path)
    assert saved.description.is_told and saved.description.format == 2
    assert saved.windows[0]["conditions"].shape == (len(data.window), 10)


def test_it_goes_on_itself_and_nothing_else_takes_its_checkpoint(
    told: tuple[Begun, SelfPlayDataModule, Path], tmp_path: Path
) -> None:
    """Fails if its own moments or window are dropped, or a network that cannot be told takes what is left."""
    path = told[2]
    again, _, _ = resumed(tmp_path, path, 602, condition="opponent")
    contents = Checkpoint.read(path).contents
    names = [name.removeprefix("network.") for name in contents["state_dict"]]
    for number, name in enumerate(names):
        saved = contents["optimizer_states"][0]["state"][number]
        assert torch.equal(again.moments[name]["exp_avg"], saved["exp_avg"]), name
    assert again.moments[LAYER]["step"] == contents["optimizer_states"][0]["state"][0]["step"]
    for other in ("none", "belief"):
        with pytest.raises(ValueError, match=rf"network condition: the checkpoint has 'opponent', this run '{other}'"):
            resumed(tmp_path, path, 602, condition=other)


def test_the_command_line_s_checks_take_it(iter600: Path, told: tuple[Any, SelfPlayDataModule, Path]) -> None:
    """Fails if a run that could go on is refused before it starts, or a file that lacks more is taken."""
    module = AlphaZeroModule(ResidualMLP(condition="opponent"))
    checkpoint = Checkpoint.read(iter600)
    checkpoint.check_fits(module.network)
    before = dict(checkpoint.contents)
    check_weights(checkpoint, module)
    check_resumable(checkpoint, module, told[1])
    assert all(checkpoint.contents[name] is part for name, part in before.items()), "a check changes nothing"
    damaged = dict(checkpoint.contents)
    damaged["state_dict"] = {k: v for k, v in damaged["state_dict"].items() if k != "network.stem.bias"}
    with pytest.raises(ValueError, match=r"network\.stem\.bias is missing"):
        check_resumable(Checkpoint(damaged), module, told[1])
    own = dict(Checkpoint.read(told[2]).contents)
    own["state_dict"] = {k: v for k, v in own["state_dict"].items() if k != f"network.{LAYER}"}
    with pytest.raises(ValueError, match=f"network.{LAYER} is missing"):
        check_resumable(Checkpoint(own), module, told[1])
    # its past networks have all had the layer since it could be told anything
    own = copy.deepcopy(Checkpoint.read(told[2]).contents)
    check_resumable(Checkpoint(own), module, told[1])
    iteration, past = next(iter(own["SelfPlayDataModule"]["opponent_pool"]["past"].items()))
    del past[LAYER]
    with pytest.raises(ValueError, match=f"the network of iteration {iteration} differs from the learner's"):
        check_resumable(Checkpoint(own), module, told[1])


# ---------------------------------------------------------------------- the edit alone


def small(condition: str, optimizer: Any) -> tuple[AlphaZeroModule, dict[str, Any]]:
    """Returns a module after three steps and its checkpoint, as far as the edit reads it."""
    torch.manual_seed(0)
    module = AlphaZeroModule(ResidualMLP(width=8, blocks=1, auxiliary=True, condition=condition))  # type: ignore[arg-type]
    made = optimizer(module.network.parameters())
    for _ in range(3):
        made.zero_grad()
        logits, value, guessed = module.network.forward_auxiliary(torch.rand(4, 186))
        (logits.sum() + value.sum() + guessed.margin.sum() + guessed.hidden.sum()).backward()
        made.step()
    checkpoint: dict[str, Any] = {"state_dict": module.state_dict(), "optimizer_states": [made.state_dict()]}
    module.on_save_checkpoint(checkpoint)
    return module, checkpoint


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda parameters: AdamW(parameters, lr=1e-2),
        lambda parameters: SGD(parameters, lr=1e-2, momentum=0.9),
        lambda parameters: SGD(parameters, lr=1e-2),
    ],
    ids=["adamw", "momentum", "plain"],
)
def test_a_step_after_the_edit_is_the_step_without(optimizer: Any) -> None:
    """Fails if any parameter's moments or rate are not those it had, or two parameters share their count of steps."""
    module, checkpoint = small("none", optimizer)
    before = copy.deepcopy(checkpoint)
    told, _ = small("belief", optimizer)
    add_condition(checkpoint, told.network)
    old, new = optimizer(module.network.parameters()), optimizer(told.network.parameters())
    module.load_state_dict(before["state_dict"])
    told.load_state_dict(checkpoint["state_dict"])
    old.load_state_dict(before["optimizer_states"][0])
    new.load_state_dict(checkpoint["optimizer_states"][0])
    x = torch.rand(4, 186, generator=torch.Generator().manual_seed(1))
    for _ in range(2):
        for learner, steps in ((module, old), (told, new)):
            steps.zero_grad()
            learner.network(x)[1].sum().backward()
            for parameter in learner.parameters():  # as where every position was told nothing
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            steps.step()
    weights = told.network.state_dict()
    assert not weights.pop(LAYER).any()
    for name, weight in module.network.state_dict().items():
        assert torch.equal(weight, weights[name]), name


def test_what_needs_no_edit_is_left_alone() -> None:
    for kind, network in (("none", "none"), ("belief", "belief")):
        _, checkpoint = small(kind, AdamW)
        parts = dict(checkpoint)
        add_condition(checkpoint, small(network, AdamW)[0].network)
        assert all(checkpoint[name] is part for name, part in parts.items())


def test_parameters_in_several_groups_are_refused() -> None:
    """Fails if moments whose order nobody knows are given to parameters by guess."""

    def grouped(parameters: Any) -> AdamW:
        given = list(parameters)
        return AdamW([{"params": given[1:]}, {"params": given[:1]}])

    _, checkpoint = small("none", grouped)
    with pytest.raises(ValueError, match=r"^optimizer_states: parameters in 2 groups found, expected all \d+ in one"):
        add_condition(checkpoint, small("belief", AdamW)[0].network)
