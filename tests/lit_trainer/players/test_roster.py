"""The roster: short names, no two the same, and what other processes get."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from support.agent_models import Same

from lit_trainer import IsmctsAgent
from lit_trainer.players.frozen import FrozenCheckpoint
from lit_trainer.players.python_player import PythonOpponent
from lit_trainer.players.roster import Roster, pickled
from sim_core import OPPONENTS, GameBatch, get_game


def test_names_become_short_and_stay(checkpoint_path: Path) -> None:
    roster = Roster({"mine": IsmctsAgent(3)}, {"frozen": {"path": checkpoint_path, "simulations": 2}}, 7.0)
    given = ["random", "mine", "frozen", f"{checkpoint_path}@4", "ismcts:5", "lit_trainer.IsmctsAgent(iterations=2)"]
    names = ("random", "mine", "frozen", "iter1@4", "ismcts:5", "IsmctsAgent(iterations=2)")
    assert roster.enlist(given, "x") == roster.enlist(names, "x") == roster.enlist(given, "x", "beasty_bar") == names
    assert set(roster) == set(names) and len(roster) == 6
    assert all(roster[name].name == name for name in names)
    agent = roster["IsmctsAgent(iterations=2)"]
    assert isinstance(agent, PythonOpponent) and agent.time_limit == 7.0


def test_searches_are_told_built_in_opponents_and_agents_that_say_how_they_play() -> None:
    """Fails if games with a told player and without stand for each other though they differ."""
    roster = Roster({"mine": IsmctsAgent(3), "open": Same("skunk")})
    roster.enlist(["random", "mine", "open", "ismcts:5"], "x")
    assert roster.tellable("beasty_bar") == {*OPPONENTS, "open"}
    assert roster.tellable("connect_four") == {*get_game("connect_four").opponents, "open"}


def test_a_copy_grows_alone_and_shares_what_was_read(checkpoint_path: Path) -> None:
    roster = Roster()
    roster.enlist([str(checkpoint_path)], "x")
    copied = roster.copy()
    assert copied.enlist([str(checkpoint_path), f"{checkpoint_path}@2"], "x") == ("iter1", "iter1@2")
    assert list(roster) == ["iter1"]
    one, two = copied["iter1"], copied["iter1@2"]
    assert isinstance(one, FrozenCheckpoint) and isinstance(two, FrozenCheckpoint) and one.network is two.network


def test_two_of_one_short_name_are_refused(checkpoint_path: Path, tmp_path: Path) -> None:
    """Fails if two opponents' results can be logged under one name."""
    other = tmp_path / checkpoint_path.name
    shutil.copy(checkpoint_path, other)
    with pytest.raises(ValueError, match=r"^x: '.*' would be called iter1, as '.*' is; name one of them by `agents`"):
        Roster().enlist([str(checkpoint_path), str(other)], "x")
    with pytest.raises(ValueError, match=r"^x: a name stands twice in "):
        Roster().enlist([str(checkpoint_path), str(checkpoint_path)], "x")
    with pytest.raises(ValueError, match=r"^x: '.*' would be called iter1, as 'iter1' is"):
        Roster(checkpoints={"iter1": {"path": other}}).enlist([str(checkpoint_path)], "x")


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("self_play", "self_play stands for self-play"),
        ("past_5", "past_5 stands"),
        ("skunk", "skunk is the name of a built-in"),
    ],
)
def test_a_file_cannot_take_a_name_that_stands_for_another(
    file: str, named: str, checkpoint_path: Path, tmp_path: Path
) -> None:
    shutil.copy(checkpoint_path, tmp_path / f"{file}.ckpt")
    with pytest.raises(ValueError, match=f"^x: {named}"):
        Roster().enlist([str(tmp_path / f"{file}.ckpt")], "x")


def test_what_is_sent_plays_the_same_there(checkpoint_path: Path) -> None:
    roster = Roster({"mine": {"class_path": "lit_trainer.IsmctsAgent", "init_args": {"iterations": 8}}})
    names = roster.enlist(["random", "mine", "ismcts:6", f"{checkpoint_path}@3"], "x")
    batch = GameBatch(20, 1)
    for name, sent in pickled({name: roster[name] for name in names}).items():
        there = pickle.loads(sent)
        assert there.name == name
        assert (there.player(4).act(batch).actions == roster[name].player(4).act(batch).actions).all()


def test_networks_move_to_a_device(make_network: Any) -> None:
    roster = Roster(checkpoints={"frozen": FrozenCheckpoint(make_network())})
    assert roster.to(torch.device("cpu")) is roster
    frozen = roster["frozen"]
    assert isinstance(frozen, FrozenCheckpoint) and frozen.on_cpu() is frozen
