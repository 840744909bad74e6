"""Checkpoints are read without running anything, and refused by name where they do not fit."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lit_trainer import PolicyValueNetwork, ResidualMLP, TransformerNetwork, load_agent
from lit_trainer.checkpoints.description import ENTRY, Description
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.writer import AtomicCheckpointIO


class Runs:
    """Runs code when it is unpickled: it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def checkpoint(checkpoint_path: Path) -> dict[str, Any]:
    """Returns a fresh copy of a real checkpoint in memory."""
    return copy.deepcopy(Checkpoint.read(checkpoint_path).contents)


# ---------------------------------------------------------------------- reading


def test_everything_in_a_real_checkpoint_loads_without_running_code(checkpoint_path: Path) -> None:
    """Fails if a checkpoint holds anything that safe loading refuses, such as numpy values or enums."""
    found = torch.load(checkpoint_path, weights_only=True)
    assert found["epoch"] == 1
    assert found["optimizer_states"][0]["state"]
    data = found["SelfPlayDataModule"]
    assert set(data["opponent_pool"]) == {"weights", "past", "win_rates", "owed"}
    assert len(data["replay"]["states"]) == len(data["replay"]["policies"]) == len(data["replay"]["outcomes"]) > 0
    assert found[ENTRY]["network"]["class_path"] == "lit_trainer.ResidualMLP"
    assert set(Checkpoint.read(checkpoint_path).contents) == set(found)
    assert [path.name for path in checkpoint_path.parent.glob(".*")] == []


Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "empty": lambda whole: b"",
    "one byte": lambda whole: whole[:1],
    "half": lambda whole: whole[: len(whole) // 2],
    "without its last byte": lambda whole: whole[:-1],
    "without its first byte": lambda whole: whole[1:],
    "another first byte": lambda whole: bytes([whole[0] ^ 1]) + whole[1:],
    "zeros": lambda whole: bytes(1000),
    "text": lambda whole: b"seed_everything: 42\ntrainer:\n  max_epochs: 60\n",
    "a list": lambda whole: b"] not a checkpoint",
    "a full stop": lambda whole: b".",
    "a pickle": lambda whole: pickle.dumps({"state_dict": {}, "epoch": 1}, protocol=4),
    "a tensor's file": lambda whole: whole.replace(b"data.pkl", b"data.pk1"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_named(damage: Damage, checkpoint_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged one.ckpt"
    path.write_bytes(damage(checkpoint_path.read_bytes()))
    for read in (Checkpoint.read, load_agent):
        with pytest.raises(ValueError, match=r"^ckpt_path: .*damaged one\.ckpt"):
            read(path)


@given(data=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_in_words(data: bytes, tmp_path: Path) -> None:
    """Fails if an error of the unpickler comes through: it raises many kinds."""
    path = tmp_path / "any.ckpt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"^ckpt_path: .*any\.ckpt"):
        Checkpoint.read(path)


@given(place=st.integers(0, 3999), byte=st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_header_is_refused_or_harmless(place: int, byte: int, checkpoint_path: Path, tmp_path: Path) -> None:
    """Fails if a byte changed in the file's beginning, with its names and its pickle, raises another kind of error."""
    whole = bytearray(checkpoint_path.read_bytes())
    whole[place] = byte
    path = tmp_path / "changed.ckpt"
    path.write_bytes(whole)
    try:
        Checkpoint.read(path)
    except ValueError as error:
        assert str(error).startswith("ckpt_path: ")
        assert "changed.ckpt" in str(error)


def same(one: Any, other: Any) -> bool:
    """Returns whether two values are equal bit for bit, however they are nested."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(
    where: float, bit: int, checkpoint_path: Path, tmp_path: Path
) -> None:
    """Fails if a bad disk could change an agent's play, or the moments or positions from which a run goes on."""
    whole = bytearray(checkpoint_path.read_bytes())
    whole[int(where * len(whole))] ^= 1 << bit
    path = tmp_path / "flipped.ckpt"
    path.write_bytes(whole)
    for read in (lambda path: Checkpoint.read(path).contents, AtomicCheckpointIO().load_checkpoint):
        try:
            found = read(path)
        except ValueError as error:
            assert str(error).startswith("ckpt_path: ") and "flipped.ckpt" in str(error)
        else:
            assert same(found, torch.load(checkpoint_path, weights_only=True))


@pytest.mark.parametrize("content", [[1, 2], {"weights": 1}, torch.zeros(2), None])
def test_a_file_of_something_else_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=r"^ckpt_path: .*other\.ckpt.*no Lightning checkpoint"):
        Checkpoint.read(tmp_path / "other.ckpt")


@pytest.mark.parametrize("missing", ["nothing.ckpt", "folder", "no/such/folder/a.ckpt", ""])
def test_a_missing_file_is_named(missing: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for read in (Checkpoint.read, load_agent):
        with pytest.raises(FileNotFoundError, match=missing or "ckpt_path"):
            read(tmp_path / missing)


@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_code_in_a_file_is_not_run(save: Callable[[Any, Path], object], tmp_path: Path) -> None:
    path, made = tmp_path / "evil.ckpt", tmp_path / "made"
    save({"state_dict": {}, "bad": Runs(made)}, path)
    by_lightning = AtomicCheckpointIO().load_checkpoint  # whose default, and users' wish, may be to run it
    for read in (Checkpoint.read, load_agent, by_lightning, partial(by_lightning, weights_only=False)):
        with pytest.raises(ValueError, match=r"^ckpt_path: .*evil\.ckpt"):
            read(path)
    assert not made.exists()


# ---------------------------------------------------------------------- fitting


def test_a_fitting_checkpoint_is_taken(checkpoint: dict[str, Any], make_network: Callable[..., ResidualMLP]) -> None:
    Checkpoint(checkpoint).check_fits(make_network())
    Checkpoint(checkpoint).check_fits(make_network(seed=5))


class Unlike(PolicyValueNetwork):
    """Is a network of another class."""


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: ResidualMLP(width=32, blocks=1), ["width", "24", "32"]),
        (lambda: ResidualMLP(width=24, blocks=3), ["blocks", "1", "3"]),
        (lambda: TransformerNetwork(width=8, layers=1, heads=1), ["ResidualMLP", "TransformerNetwork", "layers"]),
        (lambda: ResidualMLP("beasty_bar_animals", width=24, blocks=1), ["game", "beasty_bar_animals"]),
        (Unlike, ["Unlike"]),
    ],
)
def test_another_network_is_refused_by_what_differs(
    network: Callable[[], PolicyValueNetwork], words: list[str], checkpoint: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"^ckpt_path: some\.ckpt") as error:
        Checkpoint(checkpoint, "some.ckpt").check_fits(network())
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("observation_version", 99, ["observation", "99", "1"]),
        ("rules_version", 99, ["rules", "99", "1"]),
        ("format", 99, ["format", "99", "1"]),
        ("format", 0, ["format", "0", "1"]),
    ],
)
def test_another_version_is_refused_by_name(
    key: str, value: int, words: list[str], checkpoint: dict[str, Any], make_network: Callable[..., ResidualMLP]
) -> None:
    checkpoint[ENTRY][key] = value
    for refuse in (
        lambda: Checkpoint(checkpoint, "some.ckpt").check_fits(make_network()),
        lambda: Checkpoint(checkpoint, "some.ckpt").network,
    ):
        with pytest.raises(ValueError, match=r"some\.ckpt") as error:
            refuse()
        for word in words:
            assert word in str(error.value)


def test_a_foreign_checkpoint_is_refused(checkpoint: dict[str, Any], make_network: Callable[..., ResidualMLP]) -> None:
    del checkpoint[ENTRY]
    with pytest.raises(ValueError, match=rf"some\.ckpt .*lit-alphazero.*{ENTRY}"):
        Checkpoint(checkpoint, "some.ckpt").check_fits(make_network())
    with pytest.raises(ValueError, match=rf"some\.ckpt .*lit-alphazero.*{ENTRY}"):
        _ = Checkpoint(checkpoint, "some.ckpt").network


def test_a_class_is_built_only_if_it_is_known(checkpoint: dict[str, Any]) -> None:
    """Fails if a file can import modules or call classes that are not known."""
    for class_path in ("no.such.module.Network", "os.system", "lit_trainer.networks.nn", "subprocess.Popen"):
        checkpoint[ENTRY]["network"]["class_path"] = class_path
        with pytest.raises(ValueError, match=class_path):
            _ = Checkpoint(checkpoint, "some.ckpt").network


def test_what_must_be_imported_first_is_said(checkpoint: dict[str, Any]) -> None:
    """A whole file that is called damaged, because nobody has registered its game."""
    network = checkpoint[ENTRY]["network"]
    network["init_args"]["game"] = "chess"
    with pytest.raises(ValueError, match=r"is of the game 'chess', which is not registered; .*--import PACKAGE"):
        _ = Checkpoint(checkpoint).network
    network["class_path"] = "my_package.nets.Net"
    with pytest.raises(ValueError, match=r"holds a my_package\.nets\.Net, .*--import my_package\.nets"):
        _ = Checkpoint(checkpoint).network


def test_a_network_is_built_with_its_weights(
    checkpoint: dict[str, Any], first_run: tuple[Any, Path], make_network: Callable[..., ResidualMLP]
) -> None:
    network = Checkpoint(checkpoint).network
    trained = first_run[0].module.network
    assert Description.of(network) == Description.of(trained)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    for (name, value), (other, expected) in zip(
        network.state_dict().items(), trained.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(value, expected)
    assert not torch.equal(network.stem.weight, make_network().stem.weight), "training has changed them"


def newer(saved: dict[str, Any]) -> None:
    saved[ENTRY] = {"format": 99, "net": "laid out anew"}


def without_versions(saved: dict[str, Any]) -> None:
    saved[ENTRY] = {"network": saved[ENTRY]["network"]}


def without_weights(saved: dict[str, Any]) -> None:
    saved["state_dict"] = {}


def with_other_arguments(saved: dict[str, Any]) -> None:
    saved[ENTRY]["network"]["init_args"]["depth"] = 3


@pytest.mark.parametrize("change", [newer, without_versions, without_weights, with_other_arguments])
def test_a_description_that_does_not_hold_together_is_refused_in_words(
    change: Callable[[dict[str, Any]], None], checkpoint: dict[str, Any]
) -> None:
    change(checkpoint)
    with pytest.raises(ValueError, match=r"some\.ckpt"):
        _ = Checkpoint(checkpoint, "some.ckpt").network


# ---------------------------------------------------------------------- what it says


def test_it_says_what_the_run_was(first_run: tuple[Any, Path]) -> None:
    run, path = first_run
    found = Checkpoint.read(path)
    assert (found.iteration, found.steps, found.missing) == (1, 3, [])
    assert found.description == Description.of(run.module.network)
    assert found.network is found.network
    assert found.weights.keys() == run.module.network.state_dict().keys()
    assert found.pool == found.contents["SelfPlayDataModule"]["opponent_pool"]
    assert [len(window["outcomes"]) for window in found.windows] == [len(run.data.window)]
    assert found.rates == [group["lr"] for group in run.trainer.optimizers[0].param_groups] == [1e-3]
    settings = found.optimizer_configuration
    assert settings is not None and (settings["optimizer"], settings["scheduler"]) == ("AdamW", None)
    versions = found.versions
    assert versions["torch"] == torch.__version__ and versions["lightning"] == lightning.__version__


def test_what_a_file_lacks_is_nothing_and_no_error() -> None:
    """Fails if weights that another program wrote are refused for what they lack."""
    bare = Checkpoint({"state_dict": {"network.w": torch.zeros(2), "other": torch.zeros(1)}}, "bare.ckpt")
    assert bare.weights.keys() == {"w"}
    assert (bare.pool, bare.windows, bare.rates, bare.steps, bare.callbacks) == (None, [], [], None, {})
    assert (bare.optimizer_configuration, bare.versions) == (None, {"lightning": None})
    assert bare.missing == ["loops", "callbacks", "optimizer_states", "lr_schedulers", "pytorch-lightning_version"]
    with pytest.raises(ValueError, match=r"^ckpt_path: bare\.ckpt cannot be taken: loops: .*: None found"):
        _ = bare.iteration


def test_windows_of_several_processes_come_in_their_order() -> None:
    state: dict[str, Any] = {"replay": "of 0", "replay_of_rank": {2: "of 2", 1: "of 1"}}
    found = Checkpoint({"SelfPlayDataModule": state}, "many.ckpt")
    assert found.windows == ["of 0", "of 1", "of 2"]
    state["replay_of_rank"] = {1: "of 1", "two": "of 2"}
    with pytest.raises(ValueError, match=r"^ckpt_path: many\.ckpt cannot be taken: replay_of_rank: 'two' found"):
        _ = found.windows


@pytest.mark.parametrize("auxiliary", [False, True])
def test_a_network_that_can_be_told_takes_the_weights_of_one_that_cannot(
    checkpoint_path: Path, auxiliary: bool
) -> None:
    """Fails if what it is told, of which it has learned nothing yet, changes what it computes."""
    checkpoint = Checkpoint.read(checkpoint_path)
    network = ResidualMLP(width=24, blocks=1, auxiliary=auxiliary, condition="belief")
    assert network.condition_layer is not None
    torch.nn.init.ones_(network.condition_layer.weight)
    checkpoint.load_into(network)
    x = torch.rand(9, network.observation_size)
    for found, expected in zip(network(x, torch.rand(9, 22)), checkpoint.network(x), strict=True):
        assert torch.equal(found, expected)


def test_a_network_that_cannot_be_told_refuses_the_weights_of_one_that_can() -> None:
    """Fails if the condition that a network has learned is dropped in silence."""
    told = ResidualMLP(width=24, blocks=1, condition="opponent")
    saved = {"state_dict": {f"network.{name}": weight for name, weight in told.state_dict().items()}}
    checkpoint = Checkpoint(saved | {ENTRY: Description.of(told).entry()}, "'told.ckpt'")
    for other in ("none", "belief"):
        with pytest.raises(ValueError, match=rf"network condition: the checkpoint has 'opponent', this run '{other}'"):
            checkpoint.load_into(ResidualMLP(width=24, blocks=1, condition=other))  # type: ignore[arg-type]
    assert torch.equal(checkpoint.network.state_dict()["stem.weight"], told.state_dict()["stem.weight"])
