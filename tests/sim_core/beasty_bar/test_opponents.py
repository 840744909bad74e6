"""The built-in opponents: their choices against the reference's scores, and their results."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from reference import opponents as reference_opponents
from reference import rules as reference

from sim_core import ACTIONS, DEFAULT_OPPONENTS, OPPONENTS, GameBatch, State, c_state_to_python
from sim_core.beasty_bar.opponents import TABLE

PAGE = Path(__file__).parents[3] / "docs" / "opponents.md"
SCORED = [name for name in reference_opponents.NAMES if name not in ("random", "noisy")]
ROUNDING = 1e-9  # what two correct sums of the same numbers may differ by
PLIES = 24


@cache
def sample_positions() -> tuple[reference.Position, ...]:
    """About 1,500 positions at which there is something to choose, from all plies of random games."""
    rng = random.Random(11)
    positions = []
    for game in range(70):
        position = reference.random_deal(rng, first_player=game % 2)
        while not reference.is_terminal(position):
            if len(reference.legal_actions(position)) > 1:
                positions.append(position)
            position = reference.step(position, rng.choice(reference.legal_actions(position)))
    return tuple(positions)


def as_batch(positions: list[reference.Position] | tuple[reference.Position, ...]) -> GameBatch:
    return GameBatch.from_states([State.parse(reference.format(position)) for position in positions])


def choices(batch: GameBatch, name: str, seed: int = 0) -> list[str]:
    return [ACTIONS[action] for action in batch.opponent_actions(name, seed=seed)]


def test_names() -> None:
    assert isinstance(OPPONENTS, tuple)
    assert OPPONENTS == reference_opponents.NAMES
    assert [row.name for row in TABLE] == list(OPPONENTS) and len(set(OPPONENTS)) == len(OPPONENTS)
    assert tuple(row.name for row in TABLE if row.is_default) == DEFAULT_OPPONENTS


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        GameBatch(2, 0).opponent_actions("nobody", seed=0)


def test_the_sample_holds_every_ply_and_kind_of_action() -> None:
    positions = sample_positions()
    assert len(positions) >= 1_500
    assert {position.ply for position in positions} == set(range(PLIES))
    seen = {action for position in positions for action in reference.legal_actions(position)}
    assert seen == set(reference.ALL_ACTIONS)


@pytest.mark.parametrize("name", OPPONENTS)
def test_choice_is_legal_and_follows_from_the_seed(name: str) -> None:
    positions = sample_positions()
    batch = as_batch(positions)
    before = [str(c_state_to_python(batch, i)) for i in range(0, len(batch), 97)]
    actions = batch.opponent_actions(name, seed=1)
    assert actions.shape == (len(positions),)
    assert actions.dtype == np.int16
    assert batch.legal_mask()[np.arange(len(positions)), actions].all()
    np.testing.assert_array_equal(actions, batch.opponent_actions(name, seed=1))
    np.testing.assert_array_equal(actions, as_batch(positions).opponent_actions(name, seed=1))
    assert before == [str(c_state_to_python(batch, i)) for i in range(0, len(batch), 97)]


@pytest.mark.parametrize("name", OPPONENTS)
def test_some_rows_alone_choose_what_they_choose_among_all(name: str) -> None:
    batch = as_batch(sample_positions())
    rows = np.arange(3, len(batch), 7)
    some = batch.opponent_actions(name, seed=2, rows=rows)
    np.testing.assert_array_equal(some, batch.opponent_actions(name, seed=2)[rows])


@pytest.mark.parametrize("name", OPPONENTS)
def test_a_single_legal_action_is_played(name: str) -> None:
    single = [reference.parse("ksmp - - G/- -/- 0 3"), reference.parse("- - - LH/x -/- 1 3")]
    assert choices(as_batch(single), name) == ["G", "X"]


@pytest.mark.parametrize("name", SCORED)
def test_choice_has_the_best_score(name: str) -> None:
    positions = sample_positions()
    for position, action in zip(positions, choices(as_batch(positions), name), strict=True):
        scores = reference_opponents.action_scores(name, position)
        loss = max(scores.values()) - scores[action]
        assert loss <= reference_opponents.TIE + ROUNDING, f"{reference.format(position)}  {action}  {scores}"


@pytest.mark.parametrize("name", SCORED)
def test_ties_are_broken_among_all_that_are_tied(name: str) -> None:
    """Fails if one of several tied actions is never taken. By chance that would happen once in 10^17 runs."""
    best = [(position, reference_opponents.best_actions(name, position)) for position in sample_positions()]
    tied = [(position, actions) for position, actions in best if 2 <= len(actions) <= 4][:30]
    assert tied, "the sample holds no tie"
    batch = as_batch([position for position, _ in tied])
    chosen = [Counter() for _ in tied]
    seeds = 100
    for seed in range(seeds):
        for counter, action in zip(chosen, choices(batch, name, seed), strict=True):
            counter[action] += 1
    for (position, actions), counter in zip(tied, chosen, strict=True):
        assert set(counter) == actions, reference.format(position)
    # Uniformly: the share of one tied action, over all tied positions, is near its expectation.
    first = sum(counter[min(actions)] for (_, actions), counter in zip(tied, chosen, strict=True))
    shares = [1 / len(actions) for _, actions in tied]
    sigma = math.sqrt(seeds * sum(share * (1 - share) for share in shares))
    assert abs(first - seeds * sum(shares)) < 5 * sigma


def test_noisy_is_near_the_best_and_not_always_the_best() -> None:
    positions = sample_positions()
    slack = 5 * reference_opponents.NOISE_SIGMA * math.sqrt(2)
    not_best = 0
    for position, action in zip(positions, choices(as_batch(positions), "noisy"), strict=True):
        scores = reference_opponents.action_scores("noisy", position)
        loss = max(scores.values()) - scores[action]
        assert loss <= slack, f"{reference.format(position)}  {action}  {scores}"
        not_best += loss > reference_opponents.TIE
    assert not_best > 0


def test_noise_has_its_standard_deviation() -> None:
    """Fails if the noise has another size: the worse of two actions is taken as often as noise exceeds their gap."""
    pairs = []
    for position in sample_positions():
        scores = reference_opponents.action_scores("noisy", position)
        ranked = sorted(scores, key=scores.__getitem__, reverse=True)
        if len(ranked) == 2 and 0.02 < scores[ranked[0]] - scores[ranked[1]] < 0.6:
            pairs.append((position, ranked[1], scores[ranked[0]] - scores[ranked[1]]))
    assert len(pairs) >= 10
    sigma = reference_opponents.NOISE_SIGMA * math.sqrt(2)
    expected = [0.5 * math.erfc(gap / sigma / math.sqrt(2)) for _, _, gap in pairs]
    batch = as_batch([position for position, _, _ in pairs])
    seeds = 400
    worse = 0
    for seed in range(seeds):
        drawn = choices(batch, "noisy", seed)
        worse += sum(action == pair[1] for action, pair in zip(drawn, pairs, strict=True))
    spread = math.sqrt(seeds * sum(p * (1 - p) for p in expected))
    assert abs(worse - seeds * sum(expected)) < 5 * spread


def test_random_is_uniform_over_the_legal_actions() -> None:
    positions = sample_positions()[::5]
    batch = as_batch(positions)
    legal = [sorted(reference.legal_actions(position), key=ACTIONS.index) for position in positions]
    seeds = 200
    drawn = [choices(batch, "random", seed) for seed in range(seeds)]
    # Over all positions with k actions each rank is drawn as often as any other.
    for k in sorted(set(map(len, legal))):
        rows = [i for i, actions in enumerate(legal) if len(actions) == k]
        counts = Counter(legal[i].index(actions[i]) for actions in drawn for i in rows)
        n = seeds * len(rows)
        for rank in range(k):
            assert abs(counts[rank] - n / k) < 5 * math.sqrt(n / k * (1 - 1 / k)), (k, rank, counts)
    # And at each position every action comes up, unless there are too many of them to be sure.
    for i, actions in enumerate(legal):
        if len(actions) <= 6:
            assert {row[i] for row in drawn} == set(actions)


# ---------------------------------------------------------------------- matches

DEALS = 5_000  # the table's own standard error is 1.4 points; that of 10,000 games is about 0.5
TOLERANCE = 4.0


def match_score(first: str, second: str, deals: int, seed: int) -> float:
    """The score of `first` against `second` in percent, a draw half, each deal played from both seats.

    Games 2 d and 2 d + 1 share the deal d; `first` is player 0 in the one and player 1 in the other.
    """
    batch = GameBatch(2 * deals, seed, streams=np.repeat(np.arange(deals), 2))
    seat_of_first = np.arange(2 * deals) % 2
    for ply in range(PLIES):
        actions = np.zeros(2 * deals, dtype=np.int16)
        moves_first = np.asarray(batch.to_move) == seat_of_first
        for side, (name, its_turn) in enumerate(((first, moves_first), (second, ~moves_first))):
            rows = np.flatnonzero(its_turn)
            actions[rows] = batch.opponent_actions(name, seed=(2 * seed + side) * PLIES + ply, rows=rows)
        batch.step(actions)
    assert np.all(batch.is_terminal)
    scores = np.asarray(batch.scores(), dtype=np.int64)
    games = np.arange(2 * deals)
    ahead = scores[games, seat_of_first] - scores[games, 1 - seat_of_first]
    return 100 * float(np.mean(0.5 * (np.sign(ahead) + 1)))


@cache
def printed_table() -> dict[tuple[str, str], float]:
    """The table of results on the page about the opponents: (row, column) to the row's score in percent."""
    page = PAGE.read_text().partition("## Results against each other")[2]
    row_of_results = rf"((?: [^ |]+ \|){{{len(reference_opponents.NAMES)}}})$"
    table = {}
    for row in reference_opponents.NAMES:
        lines = re.findall(rf"^\| `{row}` \|{row_of_results}", page, re.MULTILINE)
        assert len(lines) == 1, f"one row of results for {row}"
        cells = [cell.strip() for cell in lines[0].split("|")[:-1]]
        pairs = zip(reference_opponents.NAMES, cells, strict=True)
        table |= {(row, column): float(cell) for column, cell in pairs if column != row}
    return table


def test_games_of_one_stream_share_the_deal() -> None:
    batch = GameBatch(6, 3, streams=np.array([0, 0, 4, 1, 4, 1]))
    deals = [str(c_state_to_python(batch, i)) for i in range(6)]
    assert deals[0] == deals[1] != deals[2] == deals[4] != deals[3] == deals[5] != deals[0]
    plain = GameBatch(5, 3)
    assert [deals[0], deals[3], deals[2]] == [str(c_state_to_python(plain, i)) for i in (0, 1, 4)]


def test_printed_results_add_up() -> None:
    table = printed_table()
    assert len(table) == len(OPPONENTS) * (len(OPPONENTS) - 1)
    for row, column in combinations(reference_opponents.NAMES, 2):
        assert table[row, column] + table[column, row] == pytest.approx(100)


def test_an_opponent_against_itself_scores_half() -> None:
    """Fails if an opponent wins against itself in more than half of 4,000 games with mirrored deals."""
    assert match_score("heuristic", "heuristic", deals=2_000, seed=1) == pytest.approx(50, abs=4)


def test_heuristic_beats_random() -> None:
    assert match_score("heuristic", "random", deals=1_000, seed=2) == pytest.approx(
        printed_table()["heuristic", "random"], abs=TOLERANCE
    )


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), list(combinations(OPPONENTS, 2)))
def test_round_robin(first: str, second: str) -> None:
    score = match_score(first, second, DEALS, seed=5)
    assert score == pytest.approx(printed_table()[first, second], abs=TOLERANCE)
