"""Searches with a Gumbel root over the slow tree, in plain Python, as Danihelka et al. (2022) describe it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from reference import rules as reference
from reference.search import Plain, SlowNode, Told, determinized, slow_simulation

from sim_core import Action


@dataclass(frozen=True)
class Gumbel:
    """Holds the settings of the root, by the names of `SearchSettings`."""

    gumbel_scale: float
    max_considered: int
    c_visit: float
    c_scale: float


class SlowGumbelSearch:
    """Makes one search with sequential halving at the root. `policy` and `settled` are its results.

    Halving keeps the set of actions that are still considered, and not the counts that they should have.
    """

    def __init__(
        self,
        position: reference.Position,
        plain: Plain,
        gumbel: Gumbel,
        words: Iterator[int],
        told: Told | None = None,
    ) -> None:
        self.position, self.plain, self.gumbel, self.words, self.told = position, plain, gumbel, words, told
        self.root = SlowNode()
        slow_simulation(self.root, position, plain, True)
        self.noise = dict.fromkeys(self.root.prior, 0.0)
        if gumbel.gumbel_scale:
            # the noise is drawn from the last action to the first
            for action in sorted(self.noise, key=lambda text: -Action.parse(text).id):
                uniform = ((next(words) >> 12) + 0.5) / 2**52
                self.noise[action] = -gumbel.gumbel_scale * math.log(-math.log(uniform))
        self.total = 0.0

    def q(self) -> dict[str, float]:
        """Returns completed Q: unvisited actions get the network's value, mixed with the visited ones' by prior."""
        root = self.root
        visited = [action for action, n in root.visits.items() if n]
        means = {action: root.total[action] / root.visits[action] for action in visited}
        mixed = root.evaluations[0]
        if visited:
            n = sum(root.visits.values())
            by_priors = sum(root.prior[a] * means[a] for a in visited) / sum(root.prior[a] for a in visited)
            mixed = (mixed + n * by_priors) / (1 + n)
        return {action: means.get(action, mixed) for action in root.prior}

    def scores(self) -> dict[str, float]:
        """Returns log prior + sigma(q). The paper's q lies in 0 to 1, so it is (1 + q) / 2 of a value here."""
        most = max(self.root.visits.values())
        scale = (self.gumbel.c_visit + most) * self.gumbel.c_scale
        return {a: math.log(self.root.prior[a]) + scale * (1 + q) / 2 for a, q in self.q().items()}

    def best(self, among: set[str]) -> str:
        scores = self.scores()
        return max(among, key=lambda action: self.noise[action] + scores[action])

    def run(self, simulations: int) -> None:
        survivors = set(self.root.prior)
        size = min(len(survivors), self.gumbel.max_considered)
        phases = max(1, math.ceil(math.log2(size)))
        left = simulations
        while left:
            rounds = max(1, math.floor(simulations / (phases * size)))
            for _ in range(rounds):
                pool, survivors = survivors, set()
                while len(survivors) < size and left:
                    action = self.best(pool - survivors)
                    survivors.add(action)
                    self.visit(action)
                    left -= 1
            size = max(min(size, 2), size // 2)

    def visit(self, action: str) -> None:
        drawn = determinized(self.position, self.words)
        self.total += slow_simulation(self.root, drawn, self.plain, True, forced=action, told=self.told)

    @property
    def settled(self) -> str:
        most = max(self.root.visits.values())
        return self.best({action for action, n in self.root.visits.items() if n == most})

    @property
    def policy(self) -> dict[str, float]:
        scores = self.scores()
        top = max(scores.values())
        weights = {action: math.exp(score - top) for action, score in scores.items()}
        return {action: weight / sum(weights.values()) for action, weight in weights.items()}
