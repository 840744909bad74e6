"""A tournament's players: their names in tables, and identities that do not depend on where a file lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lit_trainer import ResidualMLP
from lit_trainer.measuring.contestants import load_contestants


def test_names_and_specifications(checkpoint_path: Path, other_checkpoint: Path) -> None:
    """Two checkpoints of one file name that cannot be told apart in the tables."""
    _, players = load_contestants(["random", str(checkpoint_path), f"{checkpoint_path}@8", str(other_checkpoint)], None)
    own = f"{checkpoint_path.parent.name}/{checkpoint_path.name}"
    assert [player.name for player in players] == [
        "random", own, f"{own}@8", f"{other_checkpoint.parent.name}/{other_checkpoint.name}",
    ]  # fmt: skip
    assert players[1].network is players[2].network
    assert isinstance(players[1].network, ResidualMLP)
    assert [player.iteration for player in players] == [None, 1, 1, 1]


def test_what_a_contestant_says_of_itself(checkpoint_path: Path) -> None:
    """A built-in opponent that is timed for nothing, or a checkpoint without its simulations."""
    game, (online, ismcts, checkpoint) = load_contestants(["online", "ismcts:4", f"{checkpoint_path}@8"], None)
    assert game == "beasty_bar"
    assert [one.is_timed for one in (online, ismcts, checkpoint)] == [False, True, True]
    assert [one.simulations for one in (online, ismcts, checkpoint)] == [None, None, 8]
    assert online.network is ismcts.network is None
    assert checkpoint.name == f"{checkpoint_path.name}@8", "no other checkpoint has that file name"


def test_a_player_is_known_by_what_plays(checkpoint_path: Path, other_checkpoint: Path, tmp_path: Path) -> None:
    """Seeds that change when a file is moved, or two copies of one player that play each other."""
    moved = shutil.copy(checkpoint_path, tmp_path / "moved.ckpt")

    def identity(name: str | Path) -> str:
        return load_contestants([str(name), "random"], None)[1][0].identity

    assert identity(moved) == identity(checkpoint_path)
    assert len({identity(checkpoint_path), identity(f"{checkpoint_path}@8"), identity(other_checkpoint)}) == 3
    with pytest.raises(ValueError, match="are the same player, expected it once"):
        load_contestants([str(moved), str(checkpoint_path)], None)


def test_a_game_is_given_or_that_of_the_checkpoints(checkpoint_path: Path) -> None:
    assert load_contestants(["random", "tactical"], "connect_four")[0] == "connect_four"
    with pytest.raises(ValueError, match=r"^agents: .*connect_four"):
        load_contestants(["random", str(checkpoint_path)], "connect_four")
    with pytest.raises(ValueError, match=r"^agents: 1 given, expected at least 2$"):
        load_contestants(["random"], None)
