"""Searches every game of a batch from its mover's view. The trees are in trees.pyx."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

from collections import namedtuple
from contextlib import nullcontext
import dataclasses

import numpy as np

from sim_core import _arguments, _threads
from sim_core.protocols import AgentModel
from sim_core.agent_models cimport AgentModels
from sim_core.batch cimport GameBatch
from sim_core.beliefs cimport Beliefs
from sim_core.in_use cimport InUse, Reading
from sim_core.tree_search.solved_roots cimport (
    FIRST_AGENT, NO_MODEL, Mixture, SolvedRoot, expected_actions, hardest_action, keep_solvable, mix_one,
)
from sim_core.tree_search.leaves cimport LeafBatch
from sim_core.rng cimport PURPOSE_DETERMINIZE, PURPOSE_SEARCH, Stream, make_stream
from sim_core.tree_search.settings import SearchSettings
from sim_core.tree_search.trees cimport Trees

SearchResult = namedtuple("SearchResult", ["visit_counts", "policy", "value", "actions"])
SearchResult.__doc__ = """Holds what a search found, one row per game. Rows of finished games are zero.

visit_counts: int32 [n, A], visits of the root's actions. Each searched row sums to the simulations. At a solved
    root the simulations are divided over the actions that keep its exact value.
policy: float32 [n, A], the policy target: visit shares or, by the settings, the policy of completed Q. At a solved
    root it is uniform over the actions that keep its exact value.
value: float32 [n], value of the root for the player to move, -1 to 1.
actions: int64 [n], the action that the search settles on: the most visited one, with a Gumbel root the one that
    halving leaves, at a solved root the best one that is hardest to answer. -1 where the game is over.
"""


cdef class Searcher:
    """Searches batches of one game, one after the other, in trees that are allocated once.

    A second search at the same time is refused: each thread needs a separate searcher.

    Args:
        slots: Most games of a batch.
        simulations: Most simulations per game, 1 to 1,000,000.
        game: Name of the game.
        observations: Array to encode into, float32 [slots, OBSERVATION_SIZE + condition_size], e.g. in page-locked
            memory. None: a new array.
        condition_size: Numbers that follow each observation: what the network is told besides.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """
    cdef readonly LeafBatch leaves
    cdef Trees trees
    cdef GameBatch batch
    cdef int32_t[:, ::1] counts
    cdef float[:, ::1] policy
    cdef float[::1] value
    cdef int64_t[::1] actions
    cdef int32_t[::1] models        # [n]

    def __cinit__(self, slots, simulations, *, game="beasty_bar", observations=None, condition_size=0):
        self.trees = Trees(game, slots, simulations)
        self.trees.in_use = InUse("searcher")
        self.leaves = LeafBatch(self.trees, observations, condition_size=condition_size)

    @property
    def game(self) -> str:
        """Returns the name of the game."""
        return self.trees.handle.name

    @property
    def slots(self) -> int:
        """Returns the most games of a batch."""
        return self.trees.slots

    @property
    def simulations(self) -> int:
        """Returns the most simulations per game."""
        return self.trees.capacity

    @property
    def nbytes(self) -> int:
        """Returns the most bytes that the trees take."""
        return self.trees.nbytes

    def search(
        self, GameBatch batch not None, evaluate, simulations=None, *, seed=0, threads=1, settings=None,
        opponents=None, conditions=None, beliefs=None,
    ):
        """Searches a batch as the function `search` does.

        Args:
            batch: Games to search, at most `slots`; see `search`.
            evaluate: Evaluates positions; see `search`.
            simulations: Simulations per game, at most those that this was made for. None: all of them.
            seed: Random seed; see `search`.
            threads: Threads for the work in the trees.
            settings: `SearchSettings`. None: the defaults.
            opponents: Who plays the other side of each game; see `search`.
            conditions: What the network is told in each game's tree; see `search`.
            beliefs: What the players to move believe of hidden cards; see `search`.

        Returns:
            `SearchResult`.

        Raises:
            ValueError: As in `search`.
            RuntimeError: Another thread searches with this searcher now, or the evaluator does.
        """
        cdef int number = self.trees.capacity
        if simulations is not None:
            number = _arguments.integer("simulations", simulations, 1, self.trees.capacity)
        cdef uint64_t key = _arguments.seed(seed)
        _threads.check_threads(threads)
        settings = SearchSettings() if settings is None else settings
        if batch.handle is not self.trees.handle:
            raise ValueError(f"batch: games of {batch.handle.name} given, expected {self.trees.handle.name}")
        _check_beliefs(batch, beliefs)
        agents = AgentModels(batch.handle) if beliefs is None else (<Beliefs>beliefs).agents
        models = opponent_numbers(batch, opponents, agents)
        if settings.determinizations and (beliefs is not None or (models != NO_MODEL).any()):
            raise ValueError(
                f"determinizations: {settings.determinizations} given, expected 0 where opponents or beliefs are told: "
                "they need one tree"
            )
        told = np.zeros((batch.n, self.leaves.condition_size), np.float32)
        if conditions is not None:
            given = _arguments.array("conditions", conditions)
            if given.shape != told.shape:
                raise ValueError(f"conditions: shape {given.shape} given, expected {told.shape}")
            told[:] = given
        if settings.determinizations:
            return self._determinized(batch, evaluate, number, seed, threads, settings, told)
        if batch.n > self.trees.slots:
            raise ValueError(f"batch: {batch.n} games given, expected at most {self.trees.slots}")
        reading = nullcontext() if beliefs is None else Reading((<Beliefs>beliefs).in_use)
        with self.trees.in_use, reading:
            np.asarray(self.leaves.condition)[:batch.n] = told
            self.trees.beliefs = beliefs
            self.trees.agents = agents
            return self._search(batch, evaluate, number, key, threads, settings, models)

    cdef _search(self, GameBatch batch, evaluate, int simulations, uint64_t seed, threads, settings, models):
        """Searches in this searcher's trees, which nobody else uses meanwhile."""
        self.trees.owner += 1
        self.trees.set(settings, simulations)
        # a copy, because the evaluator is the caller's code and may step the batch
        self.batch = batch.take(np.arange(batch.n))
        self.models = models
        shape = (batch.n, batch.game.num_actions)
        result = SearchResult(
            np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.float32),
            np.zeros(batch.n, dtype=np.float32), np.full(batch.n, -1, dtype=np.int64),
        )
        self.counts, self.policy, self.value, self.actions = result
        self._begin(seed)
        rows = self.leaves.gather()
        while rows:
            self.leaves.ask(evaluate, rows, threads)
            self.leaves.advance(self._go_on, threads)
            rows = self.leaves.gather()
        return result

    def _begin(self, uint64_t seed):
        """Begins every game's tree. Games that are over or can be solved need none."""
        cdef Py_ssize_t i
        cdef bint believes
        cdef int mover
        cdef Mixture mixture
        cdef GameBatch batch = self.batch
        with nogil:
            for i in range(self.trees.slots):
                self.leaves.waiting[i] = False
                if i >= batch.n or batch.game.is_terminal(batch.at(i)):
                    continue
                mover = batch.game.to_move(batch.at(i))
                believes = self.trees.beliefs is not None and self.trees.beliefs.is_of(i, mover)
                if believes:
                    self.trees.beliefs.mixture(i, &mixture)
                else:
                    mix_one(&mixture, self.models[i])
                if keep_solvable(batch.game, batch.at(i), &mixture):
                    self._solve(i, &mixture)
                    continue
                self.trees.begin(i, batch.at(i), make_stream(
                    seed, PURPOSE_SEARCH, <uint64_t>batch.stream_numbers[i], batch.game.ply(batch.at(i))
                ), self.models[i], believes)
                self.leaves.waiting[i] = True

    cdef void _solve(self, Py_ssize_t i, const Mixture *mixture) noexcept nogil:
        cdef int16_t actions[256]
        cdef uint8_t optimal[256]
        cdef SolvedRoot root = expected_actions(self.batch.game, self.batch.at(i), mixture, actions, optimal)
        cdef int count = root.count, k, best = 0, left = self.trees.settings.simulations, share
        self.value[i] = <float>root.value
        for k in range(count):
            best += optimal[k]
        share = left // best
        for k in range(count):
            if optimal[k]:
                self.policy[i, actions[k]] = 1.0 / best
                self.counts[i, actions[k]] = share
                left -= share
        self.actions[i] = hardest_action(self.batch.game, self.batch.at(i), actions, optimal, count)
        self.counts[i, self.actions[i]] += left

    def _go_on(self, Py_ssize_t low, Py_ssize_t high):
        """Absorbs the evaluations, and runs each tree to its next leaf or its end. Returns how many were not finite."""
        cdef Py_ssize_t i
        cdef int bad = 0
        cdef LeafBatch leaves = self.leaves
        with nogil:
            for i in range(low, high):
                self.trees.expect(i + 2)
                if not leaves.waiting[i]:
                    continue
                if not self.trees.absorb(i, &leaves.logits[leaves.row[i], 0], leaves.values[leaves.row[i]]):
                    bad += 1
                elif not self.trees.run(i):
                    leaves.waiting[i] = False
                    self.actions[i] = self.trees.finish(i, &self.counts[i, 0], &self.policy[i, 0], &self.value[i])
                    bad += self.actions[i] < 0
        return bad

    def _determinized(self, GameBatch batch, evaluate, int simulations, seed, threads, settings, conditions):
        """Searches each game in several trees. In each the hidden cards are drawn once and then held fixed."""
        cdef int copies = min(settings.determinizations, simulations)
        cdef Py_ssize_t i
        cdef Stream stream
        cdef GameBatch repeated = batch.take(np.repeat(np.arange(batch.n), copies))
        cdef uint64_t key = _arguments.seed(seed)
        for i in range(repeated.n):
            stream = make_stream(
                key ^ <uint64_t>(i % copies), PURPOSE_DETERMINIZE, <uint64_t>repeated.stream_numbers[i],
                repeated.game.ply(repeated.at(i)),
            )
            if not repeated.game.is_terminal(repeated.at(i)):
                repeated.game.determinize(repeated.at(i), &stream)
        # the first trees take the remainder
        shares = np.full(copies, simulations // copies)
        shares[:simulations % copies] += 1
        # its trees have another shape, and their roots are held fixed in place of being determinized
        cdef Searcher each = Searcher(
            repeated.n, shares[0], game=batch.handle.name, condition_size=self.leaves.condition_size
        )
        each.trees.fixed = True
        settings = dataclasses.replace(settings, determinizations=0)
        shape = (repeated.n, batch.game.num_actions)
        found = SearchResult(
            np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.zeros(repeated.n, np.float32),
            np.zeros(repeated.n, np.int64),
        )
        for share in np.unique(shares):
            rows = np.flatnonzero(np.tile(shares, batch.n) == share)
            part = each.search(
                repeated.take(rows), evaluate, share, seed=seed, threads=threads, settings=settings,
                conditions=conditions[rows // copies],
            )
            for whole, filled in zip(found, part):
                whole[rows] = filled
        counts = found.visit_counts.reshape(batch.n, copies, batch.game.num_actions).sum(axis=1, dtype=np.int32)
        totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        solved = batch.is_solvable & ~batch.is_terminal
        first = found.policy.reshape(batch.n, copies, batch.game.num_actions)[:, 0]
        return SearchResult(
            counts,
            np.where(solved[:, None], first, (counts / totals).astype(np.float32)),
            (found.value.reshape(batch.n, copies) @ (shares / simulations)).astype(np.float32),
            np.where(
                batch.is_terminal, -1,
                np.where(solved, found.actions.reshape(batch.n, copies)[:, 0], counts.argmax(axis=1)),
            ),
        )


def _check_beliefs(GameBatch batch, beliefs) -> None:
    if beliefs is None:
        return
    if not isinstance(beliefs, Beliefs):
        raise ValueError(f"beliefs: {type(beliefs).__name__} given, expected Beliefs")
    if beliefs.handle is not batch.handle or beliefs.slots < batch.n:
        raise ValueError(
            f"beliefs: {beliefs.slots} slots of {beliefs.handle.name} given, expected at least {batch.n} of "
            f"{batch.handle.name}"
        )


def opponent_numbers(GameBatch batch not None, opponents, AgentModels agents=None):
    """Returns the number of each game's opponent, int32 [n], or -1 where there is none.

    Args:
        batch: Games.
        opponents: A name for all games, or a name or None for each. None: no game's opponent is known.
        agents: Numbers the opponents; with it an `AgentModel` may stand in place of a name. None: built-in ones alone.

    Raises:
        ValueError: The game has no such opponent, or there are too few or too many names.
    """
    if opponents is None or isinstance(opponents, (str, AgentModel)):
        opponents = [opponents] * batch.n
    try:
        opponents = list(opponents)
    except TypeError:
        raise ValueError(
            f"opponents: {opponents!r} given, expected None, a name, or a name or None for each of {batch.n} games"
        ) from None
    numbers = (AgentModels(batch.handle) if agents is None else agents).numbers(opponents)
    if agents is None and (numbers >= FIRST_AGENT).any():
        raise ValueError("opponents: an agent given, expected None or the names of built-in opponents")
    if len(opponents) != batch.n:
        raise ValueError(f"opponents: {len(opponents)} given, expected one for each of {batch.n} games")
    return numbers


def search(
    GameBatch batch not None, evaluate, simulations, *, seed=0, threads=1, settings=None, opponents=None,
    conditions=None, beliefs=None, **changes,
):
    """Searches every game of the batch from its mover's view.

    Args:
        batch: Games to search, n games at any ply. None is changed.
        evaluate: Called with observations float32 [m, OBSERVATION_SIZE] and legal_mask bool [m, A]. Returns logits
            [m, A] and values [m] for the players to move. The next call reuses its arguments' memory. If it has a
            ``condition_size`` above 0, each observation is followed by that many numbers.
        simulations: Simulations per game, 1 to 1,000,000.
        seed: Random seed of determinizations and root noise. A game's stream is (seed, its stream number, its ply).
        threads: Threads for the work in the trees. The result does not depend on it.
        settings: `SearchSettings`. None: the defaults.
        opponents: Name of the built-in opponent that plays the other side, or a name or None for each game [n]. In the
            tree it plays by its rule, and where nothing is hidden its best response is found exactly. In place of a
            name an `AgentModel` stands for itself. None: the other side is expected to play as the searcher would.
        conditions: What the network is told besides the observations of each game's tree, float32
            [n, condition_size]. None: zeros, nothing is known.
        beliefs: `Beliefs` of at least n slots. Where slot i was begun for the player to move in game i, both hidden
            cards and opponent are drawn from it. None: hidden cards are drawn uniformly.
        changes: Fields of `SearchSettings` that differ from `settings`, e.g. ``c_puct=2.0``.

    Returns:
        SearchResult(visit_counts int32 [n, A], policy float32 [n, A], value float32 [n], actions int64 [n]).

    Raises:
        ValueError: An argument is out of range, or the evaluator returns wrong shapes, NaN, infinity, or values too
            large to be added up, or an `AgentModel` returns no probabilities of legal actions.
    """
    settings = dataclasses.replace(SearchSettings() if settings is None else settings, **changes)
    size = getattr(evaluate, "condition_size", 0)
    searcher = Searcher(batch.n, simulations, game=batch.handle.name, condition_size=size)
    return searcher.search(
        batch, evaluate, seed=seed, threads=threads, settings=settings, opponents=opponents, conditions=conditions,
        beliefs=beliefs,
    )
