"""Gathers the leaves of many games for one network call: rows, observations, and the checked answer."""
from libc.stdint cimport int16_t
from libc.string cimport memcpy, memset

import time

import numpy as np

from sim_core import _arguments, _threads
from sim_core.tree_search.trees cimport Trees

MAX_CONDITION_SIZE = 65_536

cdef class LeafBatch:
    """Gathers waiting leaves into rows, encodes them, and asks the evaluator once for all.

    Args:
        trees: Trees of the slots.
        observations: Array to encode into, float32 [slots, OBSERVATION_SIZE + condition_size], e.g. in page-locked
            memory. None: a new array.
        condition_size: Numbers that follow each observation: what the network is told besides.

    Raises:
        ValueError: `observations` is no such array.
    """

    def __cinit__(self, Trees trees not None, observations=None, *, condition_size=0):
        self.trees = trees
        self.game = trees.game
        self.slots = trees.slots
        self.waiting = np.zeros(self.slots, dtype=np.uint8)
        self.row = np.zeros(self.slots, dtype=np.int32)
        self.condition_size = _arguments.integer("condition_size", condition_size, 0, MAX_CONDITION_SIZE)
        self.condition = np.zeros((self.slots, self.condition_size), dtype=np.float32)
        shape = (self.slots, self.game.observation_size + self.condition_size)
        self.observations = _arguments.output("observations", observations, shape, np.float32)
        self.masks = np.zeros((self.slots, self.game.num_actions), dtype=np.uint8)
        self.seconds = {"forward": 0.0, "tree": 0.0, "encoding": 0.0}

    cdef int gather(self) except -1:
        """Gives each waiting leaf its row, in the order of the slots. Returns the number of rows."""
        cdef Py_ssize_t slot
        cdef int rows = 0
        for slot in range(self.slots):
            if self.waiting[slot]:
                self.row[slot] = rows
                rows += 1
        self.gathered = rows
        self.answered = False
        return rows

    cdef int check_answered(self) except -1:
        """Raises ValueError if the gathered rows have not been evaluated."""
        if not self.answered:
            raise ValueError(f"leaves: {self.gathered} of them wait for their evaluation, call `evaluate` first")
        return 0

    def _encode(self, Py_ssize_t low, Py_ssize_t high):
        """Writes the leaves' observations and legal actions into their rows."""
        cdef const int16_t *actions
        cdef Py_ssize_t slot
        cdef float *told
        cdef int k, row
        with nogil:
            for slot in range(low, high):
                if not self.waiting[slot]:
                    continue
                row = self.row[slot]
                self.game.observe(self.trees.leaf_at(slot), &self.observations[row, 0])
                if self.condition_size:
                    told = &self.observations[row, self.game.observation_size]
                    if self.trees.is_told(slot):
                        memcpy(told, &self.condition[slot, 0], self.condition_size * sizeof(float))
                    else:
                        memset(told, 0, self.condition_size * sizeof(float))
                for k in range(self.game.num_actions):
                    self.masks[row, k] = False
                actions = self.trees.leaf_actions_at(slot)
                for k in range(self.trees.trees[slot].leaf_legal):
                    self.masks[row, actions[k]] = True

    def encode(self, int rows, threads):
        """Encodes the gathered leaves.

        Args:
            rows: Number of gathered leaves.
            threads: Threads to encode with.

        Returns:
            Observations and conditions, float32 [rows, OBSERVATION_SIZE + condition_size], and legal actions, bool
            [rows, A]. The next call writes into the same memory.

        Raises:
            RuntimeError: Another thread uses the trees now.
        """
        with self.trees.in_use:
            return self.encoded(rows, threads)

    cdef encoded(self, int rows, threads):
        start = time.perf_counter()
        _threads.for_chunks(self._encode, self.slots, threads)
        self.seconds["encoding"] += time.perf_counter() - start
        return np.asarray(self.observations)[:rows], np.asarray(self.masks).view(np.bool_)[:rows]

    def evaluate(self, evaluator, int rows, threads):
        """Evaluates all gathered leaves in one network call.

        The answer's shapes are checked here, its numbers when they are absorbed.

        Args:
            evaluator: Called with what `encode` returns. Returns logits [rows, A] and values [rows].
            rows: Number of gathered leaves.
            threads: Threads to encode with.

        Raises:
            ValueError: `rows` is another number, or the answer has another shape.
            RuntimeError: Another thread uses the trees now, or the evaluator asks for these leaves itself.
        """
        with self.trees.in_use:
            self.ask(evaluator, rows, threads)

    cdef int ask(self, evaluator, int rows, threads) except -1:
        if rows != self.gathered:
            raise ValueError(f"rows: {rows} given, {self.gathered} leaves wait for their evaluation")
        self.answered = False
        observations, legal_mask = self.encoded(rows, threads)
        start = time.perf_counter()
        answer = evaluator(observations, legal_mask)
        self.seconds["forward"] += time.perf_counter() - start
        try:
            logits, values = answer
            logits = np.require(logits, np.float32, "CA")
            values = np.require(values, np.float32, "CA")
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"evaluate: returned {type(answer).__name__}, expected logits and values: {error}"
            ) from error
        if logits.shape != (rows, self.game.num_actions) or values.shape != (rows,):
            raise ValueError(
                f"evaluate: returned logits {logits.shape} and values {values.shape}, "
                f"expected ({rows}, {self.game.num_actions}) and ({rows},)"
            )
        self.logits = logits
        self.values = values
        self.answered = True
        return 0

    def advance(self, work, threads):
        """Lets ``work(low, high)`` go on with all slots.

        Args:
            work: Works on a range of slots, and returns how many answers were not finite.
            threads: Threads to divide the slots over.

        Raises:
            ValueError: An answer was not finite.
            Exception: What an agent that is expected on the other side raised.
        """
        start = time.perf_counter()
        bad = sum(_threads.for_chunks(work, self.slots, threads))
        self.seconds["tree"] += time.perf_counter() - start
        if self.trees.agents is not None:
            self.trees.agents.check()
        if bad:
            raise ValueError(
                "evaluate: returned NaN or infinity for a value or a legal action, or values too large to be added up; "
                "have the network's weights diverged?"
            )
