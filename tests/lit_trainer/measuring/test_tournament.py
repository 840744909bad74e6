"""Ratings of a tournament's pairings, and matches that are played once each, in order."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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


def test_two_players_ratings() -> None:
    """Fails if the added drawn game is missing, or the interval is infinite where one side won everything."""
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


def test_matches_are_played_in_order_and_those_finished_are_not_played_again() -> None:
    """A match that is left out or played twice, or progress of another match."""
    game, players = load_contestants(["online", "ismcts:4", "random"], None)
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


def test_two_networks_meet_in_lanes(checkpoint_path: Path, other_checkpoint: Path) -> None:
    """Fails if a network outside the lanes plays otherwise than alone: exchanged sides must give the negation."""
    _, players = load_contestants([f"{checkpoint_path}@2", f"{other_checkpoint}@5"], None)
    memory = LaneMemory()
    sides = [player.player(7, 1) for player in players]
    options: dict[str, Any] = {"game": "beasty_bar", "seed": 3, "memory": memory}
    outcomes, margins, _ = play_match(sides[0], sides[1], 80, **options)
    exchanged, their_margins, _ = play_match(sides[1], sides[0], 80, **options)
    np.testing.assert_array_equal(exchanged.reshape(-1, 2)[:, ::-1].ravel(), -outcomes)
    np.testing.assert_array_equal(their_margins.reshape(-1, 2)[:, ::-1].ravel(), -margins)
