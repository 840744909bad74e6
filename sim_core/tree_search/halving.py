"""Says which actions sequential halving visits next."""

from __future__ import annotations


def considered_visits(considered: int, simulations: int) -> list[int]:
    """Returns, for each simulation, the visits of the actions that sequential halving chooses among.

    Halving (Karnin, Koren and Somekh 2013) works as in Gumbel AlphaZero: all `considered` actions are visited equally
    often, then the better half, and so on until the simulations are used up.

    Args:
        considered: Number of actions that halving starts from.
        simulations: Simulations of the search, the length of the result.

    >>> considered_visits(4, 8)
    [0, 0, 0, 0, 1, 1, 2, 2]
    """
    if considered < 2:
        return list(range(simulations))
    phases = (considered - 1).bit_length()
    sequence: list[int] = []
    survivors, visits = considered, 0
    while len(sequence) < simulations:
        rounds = max(1, simulations // (phases * survivors))
        for visit in range(visits, visits + rounds):
            sequence += [visit] * survivors
        visits += rounds
        survivors = max(2, survivors // 2)
    return sequence[:simulations]
