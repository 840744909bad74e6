"""Declares the leaves of many games that wait for one network call."""
from libc.stdint cimport int32_t, uint8_t

from sim_core.game cimport Game
from sim_core.tree_search.trees cimport Trees


cdef class LeafBatch:
    cdef readonly Trees trees
    cdef const Game *game
    cdef readonly Py_ssize_t slots
    cdef uint8_t[::1] waiting       # [slots], whether a slot's leaf waits for its evaluation
    cdef int32_t[::1] row           # [slots], the leaf's row in the network's batch
    cdef readonly Py_ssize_t condition_size
    cdef float[:, ::1] condition       # [slots, condition_size], what the network is told in a slot, zeros at first
    cdef float[:, ::1] observations # IN of the evaluator: an observation, then its slot's condition
    cdef uint8_t[:, ::1] masks      # IN of the evaluator
    cdef const float[:, ::1] logits # OUT of the evaluator
    cdef const float[::1] values    # OUT of the evaluator
    cdef int gathered               # rows that wait for the network
    cdef bint answered              # whether `logits` and `values` belong to the gathered rows
    cdef readonly dict seconds      # seconds spent, by part

    cdef int gather(self) except -1
    cdef int check_answered(self) except -1
    cdef encoded(self, int rows, threads)
    cdef int ask(self, evaluator, int rows, threads) except -1
