"""Statistics of self-play: sums that any split leaves as they are, and the names and numbers that are logged."""

from __future__ import annotations

import dataclasses
import math
import pickle
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.self_play.games import OpponentGames, generate_games_batched_by_opponent, join_games
from lit_trainer.self_play.stats import SelfPlayStats

COUNT = st.integers(0, 10**9)
# whole seconds, so that sums of them are exact in whatever order
SECONDS = st.integers(0, 10**6).map(float)
STATS = st.builds(
    SelfPlayStats,
    results=st.dictionaries(
        st.sampled_from(["self_play", "random", "past_5", "past_10"]), st.tuples(COUNT, COUNT, COUNT)
    ),
    positions=COUNT,
    evaluations=COUNT,
    simulations=COUNT,
    seconds_of=st.dictionaries(st.sampled_from(["rank 0", "rank 1", "rank 0, worker 0"]), SECONDS),
    thread_seconds=SECONDS,
    spent=st.dictionaries(st.sampled_from(["forward", "tree"]), SECONDS),
    replay_positions=COUNT,
    staleness_sum=COUNT,
    dropped_games=COUNT,
    waited_seconds=SECONDS,
    elapsed_seconds=SECONDS,
)
quick = settings(max_examples=50, deadline=None)


# ---------------------------------------------------------------------- sums


@quick
@given(STATS, STATS, STATS)
def test_the_order_of_a_sum_does_not_matter(first: SelfPlayStats, second: SelfPlayStats, third: SelfPlayStats) -> None:
    assert first + second == second + first
    assert (first + second) + third == first + (second + third)


@quick
@given(STATS)
def test_nothing_played_adds_nothing(stats: SelfPlayStats) -> None:
    assert stats + SelfPlayStats() == stats == SelfPlayStats() + stats
    assert SelfPlayStats().to_log() == {}


@quick
@given(st.lists(STATS, max_size=8), st.data())
def test_a_sum_over_any_split_is_the_whole(parts: list[SelfPlayStats], data: st.DataObject) -> None:
    """Fails if the order matters in which chunks, workers, processes and iterations are added."""
    whole = sum(parts, SelfPlayStats())
    groups = data.draw(st.lists(st.integers(0, 3), min_size=len(parts), max_size=len(parts)))
    sums = [
        sum((part for part, group in zip(parts, groups, strict=True) if group == k), SelfPlayStats()) for k in range(4)
    ]
    assert sum(sums, SelfPlayStats()) == whole
    assert reduce(lambda a, b: b + a, parts, SelfPlayStats()) == whole
    assert sum(sums, SelfPlayStats()).to_log() == pytest.approx(whole.to_log(), nan_ok=True)


@quick
@given(STATS, STATS)
def test_every_field_is_in_the_sum(first: SelfPlayStats, second: SelfPlayStats) -> None:
    """A field that is added later and forgotten in the sum."""
    for field in dataclasses.fields(SelfPlayStats):
        one, other, found = (getattr(stats, field.name) for stats in (first, second, first + second))
        if isinstance(found, int | float):
            assert found == one + other
        else:
            assert found.keys() == one.keys() | other.keys()
            for name, value in found.items():
                terms = [part[name] for part in (one, other) if name in part]
                assert value == (tuple(map(sum, zip(*terms, strict=True))) if isinstance(value, tuple) else sum(terms))


def test_statistics_travel_between_processes() -> None:
    stats = SelfPlayStats(results={"random": (1, 2, 3)}, positions=4, seconds_of={"rank 0": 2.0})
    assert pickle.loads(pickle.dumps(stats)) == stats


# ---------------------------------------------------------------------- what is logged


def one_player(player: str = "rank 0", seconds: float = 4.0) -> SelfPlayStats:
    return SelfPlayStats(
        results={
            "self_play": (3, 1, 2),
            "past_50": (1, 0, 0),
            "random": (2, 0, 0),
            "past_100": (0, 1, 0),
            "skunk": (0, 0, 0),
        },
        positions=100,
        evaluations=2000,
        simulations=1600,
        seconds_of={player: seconds},
        thread_seconds=2 * seconds,
        spent={"forward": seconds, "tree": seconds / 2, "encoding": 0.0, "opponents": seconds / 4},
        replay_positions=300,
    )


ALONE = {
    "games": 10.0,
    "positions": 100.0,
    "seconds": 4.0,
    "games_per_second": 2.5,
    "positions_per_second": 25.0,
    "evaluations_per_second": 500.0,
    "simulations_per_second": 400.0,
    "forward_share": 0.5,
    "tree_share": 0.25,
    "encoding_share": 0.0,
    "opponents_share": 0.125,
    "waiting_share": 0.125,
    "games/self_play": 6.0,
    "score/self_play": 3.5 / 6,
    "games/past": 2.0,
    "score/past": 0.75,
    "games/random": 2.0,
    "score/random": 1.0,
    "games/skunk": 0.0,
    "replay_positions": 300.0,
}


def test_names_and_numbers_of_one_process() -> None:
    """Fails if a name in the log changes, by which older runs are compared."""
    logged = one_player().to_log()
    assert logged == ALONE
    assert all(type(number) is float for number in logged.values())


def test_rates_add_up_over_players_that_work_side_by_side() -> None:
    """Fails if rates do not add up over equal processes, or do for one player's games."""
    together = (one_player() + one_player("rank 1")).to_log()
    after = (one_player() + one_player()).to_log()
    for name, number in ALONE.items():
        if name.endswith("_per_second"):
            assert (together[name], after[name]) == (2 * number, number)
        elif name.endswith("_share") or name.startswith("score/"):
            assert together[name] == after[name] == number
        elif name == "seconds":
            assert (together[name], after[name]) == (number, 2 * number)
        else:
            assert together[name] == after[name] == 2 * number


def test_statistics_of_processes_that_met_different_opponents() -> None:
    """A mean of rates, a sum of shares, a score that forgets who played how many games."""
    first = SelfPlayStats(
        results={"self_play": (3, 0, 0), "random": (1, 0, 0)},
        seconds_of={"rank 0": 2.0},
        thread_seconds=4.0,
        spent={"forward": 2.0},
        replay_positions=50,
    )
    second = SelfPlayStats(
        results={"self_play": (0, 0, 1)},
        positions=10,
        seconds_of={"rank 1": 1.0},
        thread_seconds=2.0,
        spent={"forward": 0.4},
        replay_positions=10,
        staleness_sum=5,
        dropped_games=3,
        waited_seconds=1.0,
        elapsed_seconds=4.0,
    )
    combined = (first + second).to_log()
    assert combined == pytest.approx(
        {
            "games": 5.0,
            "positions": 10.0,
            "seconds": 2.0,
            "games_per_second": 2 * 5 / 3,
            "positions_per_second": 2 * 10 / 3,
            "evaluations_per_second": 0.0,
            "simulations_per_second": 0.0,
            "forward_share": 0.4,
            "waiting_share": 0.6,
            "replay_positions": 60.0,
            "games/self_play": 4.0,
            "score/self_play": 0.75,
            "games/random": 1.0,
            "score/random": 1.0,
            "staleness": 0.5,
            "wait_share": 0.25,
            "dropped_games": 3.0,
        }
    )


def test_unequal_players_count_by_the_time_they_played() -> None:
    """Fails if unequal players count equally, or the shown seconds are not the longest player's."""
    stats = one_player("rank 0", 1.0) + one_player("rank 1", 3.0)
    assert stats.per_second(stats.games) == 2 * 20 / 4
    assert stats.seconds == 3.0 and stats.players == 2


def test_workers_log_three_more_numbers() -> None:
    gathered = SelfPlayStats(staleness_sum=150, dropped_games=7, waited_seconds=3.0, elapsed_seconds=12.0)
    logged = (one_player("rank 0, worker 0") + gathered).to_log()
    assert logged == ALONE | {"staleness": 1.5, "wait_share": 0.25, "dropped_games": 7.0}


def test_time_that_was_measured_twice_makes_no_share_negative() -> None:
    """Fails if clocks of several threads, which may add up to more than the whole, make a share negative."""
    stats = SelfPlayStats(seconds_of={"rank 0": 1.0}, thread_seconds=1.0, spent={"forward": 0.75, "tree": 0.26})
    assert stats.shares == {"forward": 0.75, "tree": 0.26, "waiting": 0.0}


def test_no_time_at_all_gives_finite_numbers() -> None:
    logged = SelfPlayStats(seconds_of={"rank 0": 0.0}).to_log()
    assert all(math.isfinite(number) for number in logged.values())


# ---------------------------------------------------------------------- real games


def test_real_games_and_their_chunks_add_up(scrambled: Any) -> None:
    """Fails if chunks count other numbers than one run of all games."""

    def games(seed: int, player: str = "rank 0") -> Any:
        learner = NetworkPlayer(scrambled, simulations=4, temperature=1.0, seed=7)
        return generate_games_batched_by_opponent(
            learner, [OpponentGames("self_play", 5, None)], game="beasty_bar", seed=seed, player=player
        )

    chunks = [games(1), games(2, "rank 1"), games(3)]
    joined = join_games(chunks).stats
    assert joined.games == 15 and joined.results == {
        "self_play": tuple(map(sum, zip(*(c.results["self_play"] for c in chunks), strict=True)))
    }
    for name in ("positions", "evaluations", "simulations"):
        assert getattr(joined, name) == sum(getattr(chunk.stats, name) for chunk in chunks) > 0
    assert joined.positions == sum(len(chunk.states) for chunk in chunks)
    assert joined.seconds_of.keys() == {"rank 0", "rank 1"} and joined.players == 2
    assert joined.seconds_of["rank 0"] == pytest.approx(chunks[0].stats.seconds + chunks[2].stats.seconds)
    assert sum(joined.shares.values()) == pytest.approx(1.0)
