"""The command `tournament`: its file, results that depend on nothing but players and seed, going on, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.cli_tools import run

from lit_trainer.measuring import tournament as tournaments
from lit_trainer.measuring.contestants import load_contestants
from lit_trainer.measuring.matches import play_match
from lit_trainer.utils.seeding import derive_seed

GAMES = 10


@pytest.fixture
def agents(checkpoint_path: Path, other_checkpoint: Path) -> list[str]:
    return ["online", str(checkpoint_path), f"{other_checkpoint}@3", "ismcts:4"]


def play(out: Path, agents: list[str], *flags: str) -> dict[str, Any]:
    run("tournament", "--agents", *agents, f"--games={GAMES}", f"--out={out}", "--device=cpu", "--threads=1", *flags)
    return said(out)


def said(out: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((out / "tournament.json").read_text())
    return record


def results(record: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Returns the results by pair of identities, each from the side of the first one."""
    found = {}
    for pairing in record["pairings"]:
        names = tuple(record["agents"][pairing[side]]["identity"] for side in ("a", "b"))
        values = [pairing[field] for field in ("wins", "draws", "losses", "margin", "pairs")]
        if names[0] > names[1]:
            values = [values[2], values[1], values[0], -values[3], values[4][::-1]]
        found[tuple(sorted(names))] = values
    return found


def test_everybody_meets_everybody(agents: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pairing that is missing or taken for another; figures of other games than were played."""
    record = play(tmp_path / "out", agents)
    assert [(pairing["a"], pairing["b"]) for pairing in record["pairings"]] == [
        (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3),
    ]  # fmt: skip
    _, players = load_contestants(agents, None)
    for pairing in record["pairings"]:
        one, two = players[pairing["a"]], players[pairing["b"]]
        seed = derive_seed(42, "tournament", "beasty_bar", *sorted((one.identity, two.identity)))
        sides = [player.player(derive_seed(seed, player.identity), 1) for player in (one, two)]
        outcomes, margins, _ = play_match(sides[0], sides[1], GAMES, game="beasty_bar", seed=seed)
        counts = [int((outcomes == kind).sum()) for kind in (1, 0, -1)]
        assert [pairing[field] for field in ("wins", "draws", "losses")] == counts
        assert pairing["margin"] == pytest.approx(margins.mean())
        of_pairs = outcomes.reshape(-1, 2).sum(axis=1)
        assert pairing["pairs"] == [int((of_pairs == total).sum()) for total in (-2, -1, 0, 1, 2)]
    assert sum(rating["elo"] for rating in record["ratings"]) == pytest.approx(0)
    assert all(rating["low"] < rating["elo"] < rating["high"] for rating in record["ratings"])
    assert sum(rating["score"] for rating in record["ratings"]) == pytest.approx(2)
    timed = [agent["ms_per_move"] is not None for agent in record["agents"]]
    assert timed == [False, True, True, True]
    assert (tmp_path / "out" / "tournament.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "ismcts:4" in printed and "iter1.ckpt@3" in printed


def test_neither_order_nor_threads_nor_paths_change_a_result(
    agents: list[str], checkpoint_path: Path, tmp_path: Path
) -> None:
    first = play(tmp_path / "first", agents)
    moved = tmp_path / "moved@7"
    moved.write_bytes(checkpoint_path.read_bytes())
    shuffled = [agents[3], f"{moved}@0", agents[0], agents[2]]
    second = play(tmp_path / "second", shuffled, "--threads=2", "--parallel_games=3")
    assert results(first) == results(second)
    third = play(tmp_path / "third", agents[:1] + agents[3:], "--seed=43")
    pair = ("ismcts:4", "online")
    assert results(third)[pair] != results(first)[pair]


def test_an_interrupted_tournament_goes_on(
    agents: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pairings that are lost, played twice, or end otherwise than without an interruption."""
    whole = play(tmp_path / "whole", agents)
    calls: list[int] = []

    def interrupted_at_the_third(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return play_match(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(tournaments, "play_match", interrupted_at_the_third)
        with pytest.raises(SystemExit) as stopped:
            play(tmp_path / "out", agents)
        assert stopped.value.code == 130
        assert len(said(tmp_path / "out")["pairings"]) == 2
        assert "2 of 6" in capsys.readouterr().out
        record = play(tmp_path / "out", agents)
        assert len(calls) == 3 + 4
        assert play(tmp_path / "out", agents) == record and len(calls) == 3 + 4
    assert results(record) == results(whole)
    assert record["ratings"] == whole["ratings"]


def refused(capsys: pytest.CaptureFixture[str], out: Path, agents: list[str], *flags: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        play(out, agents, *flags)
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    errors = re.findall(r"^error: (.*)", message, re.MULTILINE)
    assert len(errors) == 1 and "Traceback" not in message
    text: str = errors[0]
    return text


def test_other_settings_do_not_go_on_with_it(
    agents: list[str], tmp_path: Path, checkpoint_path: Path, other_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moving = tmp_path / "moving.ckpt"
    moving.write_bytes(checkpoint_path.read_bytes())
    two = ["random", str(moving)]
    play(tmp_path / "out", two)
    before = (tmp_path / "out" / "tournament.json").read_bytes()
    capsys.readouterr()
    for given, flags, said_of in (
        (two, ["--games=12"], "games: 12 given"),
        (two, ["--seed=1"], "seed: 1 given"),
        (two, ["--game=beasty_bar_animals"], "agents: "),
        (["random", "online"], [], "agents: 'online' stands where"),
        ([*two, "online"], [], "agents: 3 given"),
    ):
        message = refused(capsys, tmp_path / "out", given, *flags)
        assert message.startswith(said_of) and "expected" in message
    moving.write_bytes(other_checkpoint.read_bytes())
    assert "has other weights now" in refused(capsys, tmp_path / "out", two)
    assert (tmp_path / "out" / "tournament.json").read_bytes() == before
    (tmp_path / "out" / "tournament.json").write_text('{"format": 1}')
    assert refused(capsys, tmp_path / "out", two).startswith("out: ")
    assert (tmp_path / "out" / "tournament.json").read_text() == '{"format": 1}'


def test_faults_are_named_before_anything_is_written(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(checkpoint_path.read_bytes()[:5000])
    copy = tmp_path / "copy.ckpt"
    copy.write_bytes(checkpoint_path.read_bytes())
    out = tmp_path / "out"
    for agents, flags, said_of in (
        (["random"], [], "agents: 1 given"),
        (["random", "nobody"], [], "agents: 'nobody'"),
        (["random", "nowhere.ckpt@64"], [], "agents: 'nowhere.ckpt@64'"),
        (["random", "nowhere.ckpt@1000001"], [], "agents: 'nowhere.ckpt@1000001' given, expected at most 1,000,000"),
        (["random", f"nowhere.ckpt@{'9' * 5000}"], [], "agents: 'nowhere.ckpt@999"),
        (["random", "ismcts:many"], [], "agents: 'ismcts:many'"),
        (["random", "random"], [], "agents: 'random' and 'random'"),
        ([str(checkpoint_path), f"{copy}@0"], [], "agents: "),
        (["random", str(damaged)], [], "agents: "),
        ([str(checkpoint_path), "random"], ["--game=connect_four"], "agents: "),
        (["random", "online"], ["--games=7"], "games: 7"),
        (["random", "online"], ["--threads=0"], "threads: 0"),
        (["random", "online"], ["--device=nonsense"], "device: 'nonsense'"),
    ):
        assert refused(capsys, out, agents, *flags).startswith(said_of)
    assert not out.exists()


def test_another_game(tmp_path: Path) -> None:
    record = play(tmp_path, ["random", "tactical", "ismcts:20"], "--game=connect_four")
    elo = {rating["name"]: rating["elo"] for rating in record["ratings"]}
    assert elo["random"] < elo["tactical"]
    assert min(elo, key=lambda name: elo[name]) == "random"


def test_help_lists_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for args, expected in ((["--help"], "tournament"), (["tournament", "--help"], "FILE.ckpt@SIMULATIONS")):
        with pytest.raises(SystemExit) as stopped:
            run(*args)
        assert stopped.value.code == 0
        assert expected in " ".join(capsys.readouterr().out.split())


def test_players_that_never_vary_are_not_rated_by_two_games(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two games repeated 200 times, and an Elo that claims to be known to ± 13."""
    agents = ["support.pool_tools.First", "support.pool_tools.Last"]
    flags = ["--game=connect_four", "--games=200"]
    same = play(tmp_path / "same", agents, *flags, "--opening_plies=0")
    (pairing,) = same["pairings"]
    assert (same["opening_plies"], pairing["distinct_games"], pairing["independent_pairs"]) == (0, 2, 1.0)
    assert pairing["high"] - pairing["low"] > 0.7 and pairing["margin_low"] is None
    assert all(rating["high"] - rating["low"] > 200 for rating in same["ratings"])
    assert "± inf" not in capsys.readouterr().out
    varied = play(tmp_path / "varied", agents, *flags)
    (pairing,) = varied["pairings"]
    assert varied["opening_plies"] == 2 and pairing["distinct_games"] > 60
    assert 20 < pairing["independent_pairs"] < 50
    assert 0.1 < pairing["high"] - pairing["low"] < 0.3
    capsys.readouterr()
    assert refused(capsys, tmp_path / "varied", agents, *flags, "--opening_plies=4").startswith(
        "opening_plies: 4 given"
    )
    assert refused(capsys, tmp_path / "new", agents, *flags, "--opening_plies=42").startswith("opening_plies: 42 given")
    assert not (tmp_path / "new").exists()
