"""Win rates: counts, draws as a half, the interval against its definition, and sums over parts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_trainer.measuring.metrics import MatchResult, MatchScore, WinRate
from lit_trainer.measuring.statistics import paired_interval, wilson_interval

Z = 1.959963984540054
OUTCOMES = st.lists(st.sampled_from([-1, 0, 1]), min_size=0, max_size=60)


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0.5, 4))
def test_bounds_are_where_the_normal_test_just_rejects(n: int, share: float, z: float) -> None:
    """Fails if a bound is not where |share - p| equals z sqrt(p (1 - p) / n), by which Wilson defines it."""
    low, high = wilson_interval(share * n, n, z)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
    for bound in (low, high):
        if 0 < bound < 1:
            assert math.isclose((share - bound) ** 2, z * z * bound * (1 - bound) / n, rel_tol=1e-4, abs_tol=1e-12)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (1, 10, 0.01788, 0.40415), (81, 263, 0.25529, 0.36621)],
)
def test_known_intervals(successes: int, n: int, low: float, high: float) -> None:
    """The last is the example of Newcombe (1998), method 3."""
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=6e-6)


def test_no_game_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    result = WinRate()
    result.update(torch.zeros(0, dtype=torch.int8))
    assert result.compute() == MatchResult(0, 0, 0, 0.5, 0.0, 1.0)


@given(OUTCOMES.filter(len), st.sampled_from([torch.int8, torch.int64, torch.float32]))
def test_counts_and_score(outcomes: list[int], dtype: torch.dtype) -> None:
    metric = WinRate()
    metric.update(torch.tensor(outcomes, dtype=dtype))
    result = metric.compute()
    wins, draws, losses = (outcomes.count(k) for k in (1, 0, -1))
    assert (result.wins, result.draws, result.losses, result.games) == (wins, draws, losses, len(outcomes))
    assert result.score == pytest.approx((sum(outcomes) / len(outcomes) + 1) / 2)
    assert (result.low, result.high) == wilson_interval(wins + draws / 2, len(outcomes))


@given(OUTCOMES, OUTCOMES)
def test_two_metrics_merged_are_one(first: list[int], second: list[int]) -> None:
    """Fails if processes are averaged, and their counts not summed."""
    one, other, whole = WinRate(), WinRate(), WinRate()
    one.update(torch.tensor(first, dtype=torch.int8))
    other.update(torch.tensor(second, dtype=torch.int8))
    for part in (first, second):
        whole.update(torch.tensor(part, dtype=torch.int8))
    one.merge_state(other)
    assert one.compute() == whole.compute()
    gathered = WinRate()
    gathered.update(torch.tensor(first, dtype=torch.int8))
    # what all_gather hands to each process
    theirs = iter(other.metric_state.values())
    gathered.sync(dist_sync_fn=lambda value, group: [value, next(theirs)], distributed_available=lambda: True)
    assert [int(gathered.wins), int(gathered.draws), int(gathered.losses)] == [
        getattr(whole.compute(), name) for name in ("wins", "draws", "losses")
    ]


def test_reset_forgets() -> None:
    metric = WinRate()
    metric.update(torch.tensor([1, 1]))
    metric.reset()
    metric.update(torch.tensor([-1]))
    result = metric.compute()
    assert (result.wins, result.draws, result.losses, result.score) == (0, 0, 1, 0.0)


@pytest.mark.parametrize("outcomes", [[2], [1, 0, -2], [0.5], [math.nan]])
def test_other_outcomes_are_refused(outcomes: list[float]) -> None:
    metric = WinRate()
    with pytest.raises(ValueError, match=r"^outcomes: "):
        metric.update(torch.tensor(outcomes))
    assert metric.compute().games == 0


PAIRS = st.lists(
    st.tuples(*[st.tuples(st.sampled_from([-1, 0, 1]), st.integers(-40, 40))] * 2), min_size=0, max_size=40
)


def scored(pairs: list[tuple[tuple[int, int], tuple[int, int]]], keys: list[int] | None = None) -> MatchScore:
    games = [game for pair in pairs for game in pair]
    metric = MatchScore()
    metric.update(
        torch.tensor([outcome for outcome, _ in games], dtype=torch.int8),
        torch.tensor([margin for _, margin in games], dtype=torch.int32),
        None if keys is None else torch.tensor(keys, dtype=torch.long),
    )
    return metric


@given(PAIRS.filter(lambda pairs: len(pairs) > 1))
def test_a_match_s_intervals_are_those_of_its_pairs(pairs: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """Sums that stand for other than the mean of each pair, whatever the order of its games."""
    result = scored(pairs).compute()
    scores = np.array([(one[0] + other[0]) / 4 + 0.5 for one, other in pairs])
    margins = np.array([(one[1] + other[1]) / 2 for one, other in pairs])
    assert result.score == pytest.approx(scores.mean()) and result.margin == pytest.approx(margins.mean())
    interval = paired_interval(len(pairs), scores.mean(), ((scores - scores.mean()) ** 2).sum())
    assert (result.low, result.high) == pytest.approx(interval, abs=1e-6)
    half = Z * margins.std(ddof=1) / math.sqrt(len(pairs))
    assert result.margin_high - result.margin == pytest.approx(half, abs=1e-6)
    assert result.margin - result.margin_low == pytest.approx(half, abs=1e-6)
    assert result.games == 2 * len(pairs)
    assert result.median_margin == np.median([margin for pair in pairs for _, margin in pair])
    assert scored([pair[::-1] for pair in pairs]).compute() == result


@given(PAIRS, PAIRS)
def test_parts_of_a_match_merged_are_the_match(
    first: list[tuple[tuple[int, int], tuple[int, int]]], second: list[tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    part = scored(first)
    part.merge_state(scored(second))
    assert part.compute() == scored(first + second).compute()


@given(st.lists(PAIRS, min_size=1, max_size=4), st.booleans())
def test_processes_find_the_median_of_all_margins(
    shares: list[list[tuple[tuple[int, int], tuple[int, int]]]], in_two_batches: bool
) -> None:
    """A median of medians, or a process without games that is counted as one at zero."""
    parts = [scored(share) for share in shares]
    if in_two_batches:
        parts[0].update(torch.tensor([1, 0]), torch.tensor([7, -7]))
    margins = [margin for share in shares for pair in share for _, margin in pair] + [7, -7] * in_two_batches
    # what all_gather hands to the first process, a state at a time; torchmetrics puts a list into one tensor before
    states = [[getattr(part, name) for part in parts] for name in ("counts", "sums")]
    lists = [[torch.cat(getattr(part, name)) for part in parts] for name in ("margins", "keys")]
    gathered = iter([*states, *lists])
    parts[0].dist_sync_fn = lambda value, group: next(gathered)
    parts[0].distributed_available_fn = lambda: True
    result = parts[0].compute()
    assert result.median_margin == (np.median(margins) if margins else 0.0)
    assert result.games == len(margins)


@given(PAIRS.filter(len))
def test_keys_that_all_differ_change_no_interval(pairs: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    plain, keyed = scored(pairs).compute(), scored(pairs, list(range(2 * len(pairs)))).compute()
    assert (plain.distinct_games, keyed.distinct_games) == (None, 2 * len(pairs))
    assert replace(keyed, distinct_games=None, independent_pairs=None) == plain


@given(PAIRS.filter(len), st.integers(2, 50))
def test_games_played_again_say_nothing_new(pairs: list[tuple[tuple[int, int], tuple[int, int]]], times: int) -> None:
    """A hundred times the same two games, and an interval as of two hundred."""
    keys = list(range(2 * len(pairs)))
    once, often = scored(pairs, keys).compute(), scored(pairs * times, keys * times).compute()
    assert often.games == times * once.games and often.distinct_games == once.distinct_games == 2 * len(pairs)
    assert often.independent_pairs == pytest.approx(len(pairs))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert (often.margin_low, often.margin_high) == pytest.approx((once.margin_low, once.margin_high))


@given(PAIRS.filter(lambda pairs: len(pairs) > 1), st.lists(st.integers(0, 6), min_size=40, max_size=40))
def test_parts_that_repeat_each_other_merged_are_the_match(
    pairs: list[tuple[tuple[int, int], tuple[int, int]]], kinds: list[int]
) -> None:
    """Games that two processes played alike must count as one; no interval is narrower than distinct games allow."""
    keys = [2 * kinds[k // 2] + k % 2 for k in range(2 * len(pairs))]
    part = scored(pairs[:1], keys[:2])
    part.merge_state(scored(pairs[1:], keys[2:]))
    result = part.compute()
    assert result == scored(pairs, keys).compute()
    assert result.distinct_games == len(set(keys))
    assert result.independent_pairs is not None and result.independent_pairs <= len(set(keys)) / 2


def test_a_match_with_games_whose_keys_are_unknown_counts_all_of_them() -> None:
    part = scored([((1, 3), (-1, -3))], [5, 6])
    part.merge_state(scored([((1, 3), (-1, -3))]))
    assert part.compute() == scored([((1, 3), (-1, -3))] * 2).compute()


def test_what_is_logged_of_a_match() -> None:
    metric = MatchScore()
    metric.update(torch.tensor([1, 0, 1, -1]), torch.tensor([5, 0, 9, -1]))
    result = metric.compute()
    metric.reset()
    metric.update(torch.tensor([1, 0, 1, -1]), torch.tensor([5, 0, 9, -1]), torch.tensor([3, 4, 3, 5]))
    assert metric.compute().to_log()["distinct_games"] == 3
    assert result.to_log() == {
        "win_rate": 0.625, "draw_rate": 0.25, "win_rate_low": result.low, "win_rate_high": result.high,
        "margin": 3.25, "median_margin": 2.5,
    }  # fmt: skip
    outcomes_alone = WinRate()
    outcomes_alone.update(torch.tensor([1, 0]))
    assert list(outcomes_alone.compute().to_log()) == ["win_rate", "draw_rate", "win_rate_low", "win_rate_high"]


def test_a_record_of_an_earlier_version_is_read() -> None:
    """Fails if an older record, which has no median, is refused, or a row without its counts is read."""
    row = {"wins": 1, "draws": 0, "losses": 1, "score": 0.5, "low": 0.1, "high": 0.9, "margin": 2.0, "simulations": 4}
    assert MatchResult.from_record(row) == MatchResult(1, 0, 1, 0.5, 0.1, 0.9, 2.0)
    with pytest.raises(KeyError, match="losses"):
        MatchResult.from_record({key: row[key] for key in row if key != "losses"})


@pytest.mark.parametrize(("outcomes", "margins"), [([1], [3]), ([1, 2], [3, 4]), ([1, 0], [3])])
def test_half_a_pair_and_other_outcomes_are_refused(outcomes: list[int], margins: list[int]) -> None:
    metric = MatchScore()
    with pytest.raises(ValueError, match=r"^outcomes"):
        metric.update(torch.tensor(outcomes), torch.tensor(margins))
    with pytest.raises(ValueError, match=r"^keys: 1 given, expected one for each of 2 games"):
        metric.update(torch.tensor([1, 0]), torch.tensor([3, 0]), torch.tensor([7]))
    assert metric.compute().games == 0
