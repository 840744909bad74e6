"""Whole games for shares: the sum, shares over many calls, rare names, and what is owed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_trainer.players.apportionment import Apportionment

SHARES = st.lists(st.floats(1e-6, 1), min_size=1, max_size=14).map(lambda s: {str(k): v for k, v in enumerate(s)})


@given(st.integers(0, 5000), SHARES)
def test_games_sum_up_and_stay_within_one_of_their_shares(games: int, shares: dict[str, float]) -> None:
    counts = Apportionment().next(games, shares)
    assert sum(counts.values()) == games and 0 not in counts.values()
    for name, share in shares.items():
        assert abs(counts.get(name, 0) - games * share / sum(shares.values())) < 1 + 1e-6


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), SHARES)
def test_what_rounding_takes_is_given_back(games: list[int], shares: dict[str, float]) -> None:
    """Without it, over many calls a name would lose or win a part of a game in each."""
    apportionment = Apportionment()
    played: Counter[str] = Counter()
    for n in games:
        counts = apportionment.next(n, shares)
        assert sum(counts.values()) == n
        played.update(counts)
    whole = sum(shares.values())
    for name, share in shares.items():
        due = sum(games) * share / whole
        assert apportionment.owed[name] == pytest.approx(due - played[name], abs=1e-6)
        # each call gives to who is owed most, so a debt is at most that of as many names: 1 + 1/2 + 1/3 + ...
        assert -1 - 1e-6 < due - played[name] < sum(1 / k for k in range(1, len(shares) + 1)) + 1e-6


@pytest.mark.parametrize("games", [8, 16])
def test_rare_names_get_their_games(games: int) -> None:
    """A floor of 0.05 of half the games is less than half a game per iteration."""
    shares = {"self": 0.5, "strong": 0.5 * 0.55} | {f"weak_{k}": 0.5 * 0.05 for k in range(9)}
    apportionment = Apportionment()
    played: Counter[str] = Counter()
    for _ in range(1000):
        played.update(apportionment.next(games, shares))
    assert all(abs(played[name] - 1000 * games * share) < 2 for name, share in shares.items()), played


def test_games_follow_changing_shares() -> None:
    apportionment = Apportionment()
    played: Counter[str] = Counter()
    for k in range(100):
        shares = {"a": 61, "b": 1, "c": 38} if k < 50 else {"c": 90, "d": 10}
        counts = apportionment.next(7, shares)
        assert sum(counts.values()) == 7 and min(counts.values()) > 0 and counts.keys() <= shares.keys()
        played.update(counts)
    expected = {"a": 350 * 0.61, "b": 3.5, "c": 350 * 0.38 + 350 * 0.9, "d": 35}
    assert all(abs(played[name] - count) <= 2 for name, count in expected.items()), played


def test_debts_beyond_the_games_are_paid_by_who_is_owed_least() -> None:
    """One that is owed much would else give way to the others."""
    games = Apportionment({"a": 5.0, "b": 0.0})
    assert [games.next(2, {"a": 1, "b": 1}) for _ in range(2)] == [{"a": 2}, {"a": 2}]
    assert games.owed == {"a": 3.0, "b": 2.0}


def test_it_goes_on_from_what_is_owed() -> None:
    shares = {"a": 0.7, "b": 0.2, "c": 0.1}
    first = Apportionment()
    for _ in range(3):
        first.next(4, shares)
    again = Apportionment(first.owed)
    assert [again.next(4, shares) for _ in range(9)] == [first.next(4, shares) for _ in range(9)]
