"""Declares beliefs about the other player's hand in many games at once, and what search and game runner call."""
from libc.stdint cimport int32_t, uint8_t, uint64_t

from sim_core.agent_models cimport AgentModels
from sim_core.game cimport Game, GameHandle
from sim_core.in_use cimport InUse
from sim_core.rng cimport Stream
from sim_core.tree_search.solved_roots cimport Mixture


cdef enum:
    IMAGINED = 16       # hands with which a player that nobody knows is asked what it would have played


cdef struct Held:
    # What is believed in one slot. Its weights are those of a hand and an opponent together, and sum to 1.
    int observer        # the player who believes; -1: not begun
    int count           # hands that the other player may hold
    int opponents       # that the other player may be
    int side            # which half of the slot's memory the hands and weights are in
    double slip         # share of uniform play that each opponent is taken to mix in
    bint lost           # no hand and no opponent explained an action


cdef class Beliefs:
    cdef readonly GameHandle handle
    cdef const Game *game
    cdef readonly Py_ssize_t slots
    cdef readonly int types         # most opponents that a slot tells apart
    cdef readonly InUse in_use
    cdef AgentModels agents         # among the opponents
    cdef double stranger            # how likely nobody known is at first, where that is possible
    cdef int uniform                # number of the opponent that plays at random
    cdef Held[::1] held             # [slots]
    cdef int32_t[:, ::1] opponents  # [slots, types], their numbers, or NO_MODEL
    cdef uint64_t[:, :, ::1] hands  # [slots, 2, max_hands], in increasing order
    cdef double[:, :, ::1] weights  # [slots, 2, max_hands * types], by hand, then by opponent

    cdef void begin(self, Py_ssize_t slot, const void *state, int observer, int opponent) noexcept nogil
    cdef void begin_among(
        self, Py_ssize_t slot, const void *state, int observer, const int32_t *opponents, int count, double slip
    ) noexcept nogil
    cdef void observe(self, Py_ssize_t slot, const void *before, int action, double other) noexcept nogil
    cdef int draw(self, Py_ssize_t slot, void *state, Stream *stream) noexcept nogil
    cdef void hand_probabilities(self, Py_ssize_t slot, float *probabilities) noexcept nogil
    cdef void mixture(self, Py_ssize_t slot, Mixture *mixture) noexcept nogil
    cdef void shares(self, Py_ssize_t slot, Mixture *mixture) noexcept nogil
    cdef double entropy(self, Py_ssize_t slot) noexcept nogil
    cdef bint is_lost(self, Py_ssize_t slot) noexcept nogil
    cdef bint is_of(self, Py_ssize_t slot, int player) noexcept nogil

    cdef double _hand_weight(self, Py_ssize_t slot, int hand) noexcept nogil
    cdef void _weigh(self, Py_ssize_t slot, const void *before, int action, double other) noexcept nogil
    cdef void _move(self, Py_ssize_t slot, const void *before, int action) noexcept nogil
    cdef void _forget(self, Py_ssize_t slot) noexcept nogil


cdef class Belief:
    cdef Beliefs beliefs
    cdef Py_ssize_t slot
    cdef int observer

    cdef bint _knows_all(self) noexcept
    cdef int _follow(self, const uint8_t *view, uint64_t *hands) except -1


cdef int imagined_hands(
    const Game *game, const void *before, int action, Stream *stream, uint64_t *hands
) noexcept nogil
