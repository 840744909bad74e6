"""Players' names: what each kind says, what it makes, and what is refused."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lit_trainer.measuring.matches import play_match
from lit_trainer.players import frozen
from lit_trainer.players.engine_players import BuiltinOpponent, IsmctsOpponent
from lit_trainer.players.frozen import FrozenCheckpoint
from lit_trainer.players.python_player import PythonOpponent
from lit_trainer.players.specs import check_plays, make, parse, split_simulations
from sim_core import games

AGENTS = """
class Last:
    def __init__(self, place=-1, note=""):
        self.place, self.note = place, note
    def select_action(self, state, legal_actions):
        return legal_actions[self.place]

class NoAgent:
    pass
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes a real module with agents on the import path."""
    (tmp_path / "spec_agents.py").write_text(AGENTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("spec_agents", None)


def test_each_kind_is_told_from_the_others(checkpoint_path: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs/mine/version_3"
    (run / "checkpoints").mkdir(parents=True)
    shutil.copy(checkpoint_path, run / "checkpoints/last.ckpt")
    path = str(checkpoint_path)
    for text, kind, name, simulations in (
        ("random", "builtin", "random", None),
        ("tactical", "builtin", "tactical", None),
        ("ismcts:20", "ismcts", "ismcts:20", None),
        (path, "checkpoint", "iter1", None),
        (f"{path}@0", "checkpoint", "iter1", 0),
        (f"{path}@64", "checkpoint", "iter1@64", 64),
        (f"{path}@64+told", "checkpoint", "iter1@64+told", 64),
        (f"{path}@64+infer", "checkpoint", "iter1@64+infer", 64),
        (f"{path}+skunk", "checkpoint", "iter1+skunk", None),
        (f"{run.parent}@8+told", "checkpoint", "mine@8+told", 8),
        ("ismcts:20+skunk", "ismcts", "ismcts:20+skunk", None),
        (str(run / "checkpoints/last.ckpt"), "checkpoint", "mine_last", None),
        (str(run), "checkpoint", "mine", None),
        (f"{run.parent}@8", "checkpoint", "mine@8", 8),
        ("spec_agents.Last", "agent", "Last", None),
        ("spec_agents.Last()", "agent", "Last", None),
        ("spec_agents.Last(place=0)", "agent", "Last(place=0)", None),
        ("spec_agents.Last(place=0, note='a/b')", "agent", "Last(place=0, note='a_b')", None),
    ):
        spec = parse(text)
        assert (spec.text, spec.kind, spec.name, spec.simulations) == (text, kind, name, simulations)
        assert "/" not in spec.name
    assert "spec_agents" not in sys.modules, "parsing must import nothing"


def test_what_each_kind_makes(checkpoint_path: Path) -> None:
    assert make("skunk") == BuiltinOpponent("skunk")
    assert make("ismcts:9") == IsmctsOpponent(9) and make("ismcts:9").games == games()
    for text, default, simulations in (
        (f"{checkpoint_path}", 0, 0),
        (f"{checkpoint_path}", 5, 5),
        (f"{checkpoint_path}@3", 5, 3),
    ):
        made = make(text, simulations=default)
        assert isinstance(made, FrozenCheckpoint) and made.games == ("beasty_bar",)
        assert (made.simulations, made.temperature, made.iteration) == (simulations, 0.0, 1)
    agent = make("spec_agents.Last(place=0, note='x, y=(1)')", time_limit=3.0)
    assert isinstance(agent, PythonOpponent)
    assert (agent.agent.place, agent.agent.note) == (0, "x, y=(1)")  # type: ignore[attr-defined]
    assert agent.player(1).time_limit == 3.0
    again = pickle.loads(pickle.dumps(agent))
    assert (again.name, again.time_limit, again.agent.place) == (agent.name, 3.0, 0)
    outcomes = play_match(
        agent.player(1), make(f"{checkpoint_path}@2").player(2), 4, game="beasty_bar", seed=1
    ).outcomes
    assert len(outcomes) == 4


def test_a_file_is_read_once(checkpoint_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if two strengths of one checkpoint are two networks in memory."""
    reads: list[Any] = []
    real = frozen.read_frozen
    monkeypatch.setattr("lit_trainer.players.specs.read_frozen", lambda *args: reads.append(args) or real(*args))
    read: dict[str, FrozenCheckpoint] = {}
    one, two = (make(f"{checkpoint_path}{end}", read=read) for end in ("", "@8"))
    assert isinstance(one, FrozenCheckpoint) and isinstance(two, FrozenCheckpoint)
    assert one.network is two.network and len(reads) == 1
    assert (one.name, two.name) == ("iter1", "iter1@8")


def test_a_folder_stands_for_its_newest_checkpoint(checkpoint_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run/version_0/checkpoints"
    folder.mkdir(parents=True)
    for age, name in ((30, "iter10.ckpt"), (10, "last.ckpt"), (20, "iter20.ckpt")):
        shutil.copy(checkpoint_path, folder / name)
        os.utime(folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    assert parse(str(tmp_path / "run")).target == str(folder / "last.ckpt")
    os.utime(folder / "iter20.ckpt", (1_700_000_000, 1_700_000_000))
    assert parse(str(folder)).target == str(folder / "iter20.ckpt")


def test_simulations_are_the_digits_after_the_last_at() -> None:
    assert split_simulations("ismcts:100") == ("ismcts:100", None)
    assert split_simulations("a.ckpt@1000000") == split_simulations("a.ckpt@0001000000") == ("a.ckpt", 1_000_000)
    path, number = split_simulations("a.ckpt@" + "9" * 5000)
    assert path == "a.ckpt" and number is not None and number > 1_000_000


WRONG = [
    ("nobody", "x: 'nobody' is neither a known player nor a file; known are random, "),
    ("skonk", "x: 'skonk' is neither .*; did you mean 'skunk'\\?$"),
    ("", "x: '' is neither a known player nor a file"),
    ("ismcts:", "x: 'ismcts:' given, expected ismcts:N with N iterations per move, 1 to 1,000,000"),
    ("nowhere.ckpt", "x: 'nowhere.ckpt' given, but there is no file 'nowhere.ckpt'"),
    ("nowhere.ckpt@64", "x: 'nowhere.ckpt@64' given, but there is no file 'nowhere.ckpt'"),
    ("FILE@1000001", "x: '.*@1000001' given, expected at most 1,000,000 simulations per move"),
    ("EMPTY", "x: '.*' given, but the folder '.*' holds no checkpoint"),
    ("DAMAGED", "x: '.*' is truncated, damaged or no checkpoint"),
    ("no_such_package.Agent", "x: 'no_such_package.Agent' cannot be made from .*ModuleNotFoundError"),
    ("spec_agents.Nobody", "x: 'spec_agents.Nobody' cannot be made from .*AttributeError"),
    ("spec_agents.NoAgent", "x: 'spec_agents.NoAgent' \\(NoAgent\\) has no select_action"),
    ("spec_agents.Last(depth=3)", "x: 'spec_agents.Last\\(depth=3\\)' cannot be made from .*unexpected keyword"),
    ("spec_agents.Last(3)", "x: 'spec_agents.Last\\(3\\)' given, expected package.module.Agent\\(argument=value"),
    ("spec_agents.Last(**{})", "x: .* given, expected package.module.Agent\\(argument=value"),
    ("spec_agents.Last(place=len('a'))", "x: .*expected package.module.Agent.*place is no plain value"),
    ("spec_agents.Last(place=1)(place=2)", "x: .* given, expected package.module.Agent\\(argument=value"),
    ("spec_agents.Last(place=1", "x: .* is neither a known player nor a file"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_names_say_what_would_be_right(
    text: str, message: str, checkpoint_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged.ckpt").write_bytes(checkpoint_path.read_bytes()[:3000])
    text = text.replace("FILE", str(checkpoint_path)).replace("EMPTY", "empty").replace("DAMAGED", "damaged.ckpt")
    with pytest.raises(ValueError, match=f"^{message}"):
        make(text, "x")
    with pytest.raises(ValueError, match=r"^x: 5 given, expected the name of a player"):
        parse(5, "x")  # type: ignore[arg-type]


def test_an_agent_s_arguments_are_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    with pytest.raises(ValueError, match="no plain value"):
        make(f"spec_agents.Last(note=open({str(trap)!r}, 'w'))")
    assert not trap.exists()


def test_an_opponent_of_another_game_is_refused(checkpoint_path: Path) -> None:
    for text in ("tactical", "skunk", str(checkpoint_path)):
        opponent = make(text)
        game = "beasty_bar" if text == "tactical" else "connect_four"
        with pytest.raises(ValueError, match=rf"^x: {opponent.name} plays .*, expected {game}, whose .* are random, "):
            check_plays(opponent, game, "x")
        check_plays(opponent, opponent.games[0], "x")


def test_a_player_is_made_with_what_it_expects(checkpoint_path: Path) -> None:
    told, skunk = make(f"{checkpoint_path}@4+told"), make(f"{checkpoint_path}@4+skunk")
    assert isinstance(told, FrozenCheckpoint) and isinstance(skunk, FrozenCheckpoint)
    assert [one.player(1).opponent_model for one in (told, skunk)] == ["told", "skunk"]
    searching = make("ismcts:20+skunk")
    assert searching == IsmctsOpponent(20, "skunk") and searching.name == "ismcts:20+skunk"
    assert searching.games == ("beasty_bar", "beasty_bar_animals") and make("ismcts:20").games == games()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ismcts:20+told",
            r"^agent: 'ismcts:20\+told' given, expected ismcts:N\+NAME with a built-in opponent's name$",
        ),
        (
            "ismcts:20+infer",
            r"^agent: 'ismcts:20\+infer' given, expected ismcts:N\+NAME with a built-in opponent's name$",
        ),
        ("ismcts:20+nobody", r"^agent: 'ismcts:20\+nobody' given, expected ismcts:N"),
        ("nothing.ckpt@4+told", r"^agent: 'nothing.ckpt@4\+told' given, but there is no file 'nothing.ckpt'"),
    ],
)
def test_wrong_expectations_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_an_opponent_of_another_game_cannot_be_expected(checkpoint_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^agent: 'tactical' given, expected one of none, told, infer, random, "):
        make(f"{checkpoint_path}@4+tactical")
