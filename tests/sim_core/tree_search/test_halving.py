"""The schedule of sequential halving."""

from __future__ import annotations

import math

import pytest

from sim_core.tree_search.halving import considered_visits


@pytest.mark.parametrize(
    ("considered", "simulations", "expected"),
    [
        # each of m actions N / (m log2 m) times, then the better half as often a simulation, until N are used up
        (4, 8, [0, 0, 0, 0, 1, 1, 2, 2]),
        (4, 16, [0] * 4 + [1] * 4 + [2, 2, 3, 3, 4, 4, 5, 5]),
        (2, 4, [0, 0, 1, 1]),
        (8, 24, [0] * 8 + [1] * 4 + [2] * 4 + [3, 3, 4, 4, 5, 5, 6, 6]),
        (16, 16, [0] * 16),
        (16, 64, [0] * 16 + [1] * 8 + [2] * 8 + [3] * 4 + [4] * 4 + [5] * 4 + [6] * 4 + [7, 7, 8, 8, 9, 9, 10, 10]
         + [11, 11, 12, 12, 13, 13, 14, 14]),
        (16, 5, [0] * 5),
        (3, 7, [0, 0, 0, 1, 1, 2, 2]),
        (1, 5, [0, 1, 2, 3, 4]),
        (0, 3, [0, 1, 2]),
        (5, 0, []),
    ],
)  # fmt: skip
def test_halving_by_hand(considered: int, simulations: int, expected: list[int]) -> None:
    assert considered_visits(considered, simulations) == expected


@pytest.mark.parametrize("considered", range(2, 17))
def test_halving_visits_whole_rounds_of_ever_fewer_actions(considered: int) -> None:
    for simulations in (*range(1, 70), 128, 200, 1000):
        sequence = considered_visits(considered, simulations)
        assert len(sequence) == simulations
        assert sequence == sorted(sequence)
        rounds = [sequence.count(visits) for visits in range(sequence[-1] + 1)]
        # a round has one visit of each survivor; only the last one may break off
        assert all(size in {max(2, considered >> k) for k in range(5)} for size in rounds[:-1])
        assert rounds[:-1] == sorted(rounds[:-1], reverse=True)
        assert rounds[0] == min(considered, simulations)
        # playing it out: every simulation finds an action with the visits it asks for, and all visits are given
        visits = [0] * considered
        for wanted in sequence:
            visits[visits.index(wanted)] += 1
        assert sum(visits) == simulations
        if simulations >= considered * math.ceil(math.log2(considered)):
            # every phase but the last has the simulations its share allows, at most
            phases = math.ceil(math.log2(considered))
            for size in set(rounds[:-1]) - {2}:
                assert size * rounds[:-1].count(size) <= simulations / phases
