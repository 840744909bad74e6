"""Tournaments: who is who, results that depend on nothing but players and seed, and going on after an interruption."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.cli_tools import run

from lit_trainer import ResidualMLP
from lit_trainer.measuring import tournament as tournaments
from lit_trainer.measuring.contestants import load_contestants
from lit_trainer.measuring.matches import play_match
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.measuring.tournament import (
    Entry,
    Pairing,
    Rating,
    Tournament,
    new_tournament,
    play_missing,
    rate,
    with_times,
)
from lit_trainer.self_play.lanes import LaneMemory
from lit_trainer.utils.seeding import derive_seed

GAMES = 10


@pytest.fixture(scope="module")
def other(checkpoint_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the same name with other weights."""
    saved = torch.load(checkpoint_path, weights_only=True)
    for key, value in saved["state_dict"].items():
        if value.is_floating_point():
            saved["state_dict"][key] = value.flip(0)
    path = tmp_path_factory.mktemp("other") / checkpoint_path.name
    torch.save(saved, path)
    return path


@pytest.fixture
def agents(checkpoint_path: Path, other: Path) -> list[str]:
    return ["online", str(checkpoint_path), f"{other}@3", "ismcts:4"]


def play(out: Path, agents: list[str], *flags: str) -> dict[str, Any]:
    run("tournament", "--agents", *agents, f"--games={GAMES}", f"--out={out}", "--device=cpu", "--threads=1", *flags)
    return said(out)


def said(out: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((out / "tournament.json").read_text())
    return record


def results(record: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """What was played, by the players' identities, from the side of the one that comes first by them."""
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
    agents: list[str], tmp_path: Path, checkpoint_path: Path, other: Path, capsys: pytest.CaptureFixture[str]
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
    moving.write_bytes(other.read_bytes())
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


def test_names_and_specifications(checkpoint_path: Path, other: Path) -> None:
    """Two checkpoints of one file name that cannot be told apart in the tables."""
    _, players = load_contestants(["random", str(checkpoint_path), f"{checkpoint_path}@8", str(other)], None)
    own = f"{checkpoint_path.parent.name}/{checkpoint_path.name}"
    assert [player.name for player in players] == [
        "random", own, f"{own}@8", f"{other.parent.name}/{other.name}",
    ]  # fmt: skip
    assert players[1].network is players[2].network
    assert isinstance(players[1].network, ResidualMLP)
    assert [player.iteration for player in players] == [None, 1, 1, 1]


def test_another_game(tmp_path: Path) -> None:
    record = play(tmp_path, ["random", "tactical", "ismcts:20"], "--game=connect_four")
    elo = {rating["name"]: rating["elo"] for rating in record["ratings"]}
    assert elo["random"] < elo["tactical"]
    assert min(elo, key=lambda name: elo[name]) == "random"


def test_two_players_ratings() -> None:
    """The made-up drawn game, and an interval that is finite where one side won everything."""
    two = Tournament("beasty_bar", 100, 1, "cpu", tuple(Entry(name, name, name) for name in "ab"))

    def rated(games: int, score: float, pairs: tuple[int, ...]) -> tuple[Rating, ...]:
        won = round(score * games)
        pairing = Pairing(0, 1, MatchResult(won, 0, games - won, score, 0.0, 1.0), pairs)
        return rate(replace(two, games=games).with_pairing(pairing))

    better, worse = rated(100, 1.0, (0, 0, 0, 0, 50))
    assert better.elo - worse.elo == pytest.approx(400 * math.log10(100.5 / 0.5))
    assert better.score == 1.0 and worse.score == 0.0
    assert 100 < better.high - better.low < 1500
    # independent games without draws: the delta method's error of a score's logarithmic odds
    better, worse = rated(10_000, 0.5, (1250, 0, 2500, 0, 1250))
    assert better.elo == pytest.approx(0)
    half = 1.96 * 400 / math.log(10) * math.sqrt(1 / (10_000 * 0.25)) / 2
    assert better.high == pytest.approx(half, rel=1e-3)


def test_games_played_again_make_no_rating_surer() -> None:
    """Four distinct games, each fifty times: ratings and intervals are those of four games."""
    names = tuple(Entry(name, name, name) for name in "abc")

    def rated(times: int) -> tuple[Rating, ...]:
        pairs = tuple(times * count for count in (0, 1, 0, 1, 0))
        found = MatchResult(2 * times, 0, 2 * times, 0.5, 0.0, 1.0, independent_pairs=2.0)
        won = MatchResult(4 * times, 0, 0, 1.0, 0.0, 1.0, independent_pairs=2.0)
        pairings = (
            Pairing(0, 1, found, pairs),
            Pairing(0, 2, won, (0, 0, 0, 0, 2 * times)),
            Pairing(1, 2, found, pairs),
        )
        return rate(Tournament("connect_four", 4 * times, 1, "cpu", names, pairings=pairings))

    for once, often in zip(rated(1), rated(50), strict=True):
        assert (often.elo, often.low, often.high) == pytest.approx((once.elo, once.low, once.high))
        assert often.score == once.score and often.high - often.low > 200


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


def test_matches_are_played_in_order_and_those_finished_are_not_played_again(agents: list[str]) -> None:
    """A match that is left out or played twice, or progress of another match."""
    game, players = load_contestants(agents[:1] + agents[3:] + ["random"], None)
    begun = new_tournament(players, game, games=4, seed=1)
    assert begun.missing == [(0, 1), (0, 2), (1, 2)]
    seen: list[tuple[int, int, float]] = []
    whole = list(play_missing(begun, players, on_progress=lambda *said: seen.append(said)))
    assert [(pairing.a, pairing.b) for pairing in whole] == begun.missing
    assert list(dict.fromkeys((a, b) for a, b, _ in seen)) == begun.missing
    assert all(0 <= played <= 4 for _, _, played in seen)
    resumed = begun.with_pairing(whole[1])
    assert resumed.missing == [(0, 1), (1, 2)] and begun.pairings == ()
    rest = list(play_missing(resumed, players))
    assert [(found.result, found.pairs) for found in rest] == [(found.result, found.pairs) for found in whole[::2]]
    timed = with_times(begun, players, threads=1)
    assert [entry.ms_per_move is not None for entry in timed.entries] == [False, True, False]
    assert with_times(timed, players, threads=1).entries == timed.entries


def test_two_networks_meet_in_lanes(checkpoint_path: Path, other: Path) -> None:
    """One that searches outside the lanes plays as it would alone: exchanged sides give the negation."""
    _, players = load_contestants([f"{checkpoint_path}@2", f"{other}@5"], None)
    memory = LaneMemory()
    sides = [player.player(7, 1) for player in players]
    options: dict[str, Any] = {"game": "beasty_bar", "seed": 3, "memory": memory}
    outcomes, margins, _ = play_match(sides[0], sides[1], 80, **options)
    exchanged, their_margins, _ = play_match(sides[1], sides[0], 80, **options)
    np.testing.assert_array_equal(exchanged.reshape(-1, 2)[:, ::-1].ravel(), -outcomes)
    np.testing.assert_array_equal(their_margins.reshape(-1, 2)[:, ::-1].ravel(), -margins)


def test_help_lists_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for args, expected in ((["--help"], "tournament"), (["tournament", "--help"], "FILE.ckpt@SIMULATIONS")):
        with pytest.raises(SystemExit) as stopped:
            run(*args)
        assert stopped.value.code == 0
        assert expected in " ".join(capsys.readouterr().out.split())
