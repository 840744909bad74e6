"""Declares what a game runner's learners expect of the other side, and what the runner calls."""
from libc.stdint cimport int32_t, uint8_t, uint64_t

from sim_core.beliefs cimport Beliefs
from sim_core.game cimport Game
from sim_core.rng cimport Stream
from sim_core.tree_search.solved_roots cimport Mixture


cdef enum:
    SELF_PLAY = -2      # in place of an opponent's number: the learner plays both sides


cdef struct Question:
    # What is asked before a learner concludes anything from an action: would a player that nobody knows have played it?
    uint64_t hands[16]  # with which it is asked
    int count           # of them
    int asked           # answers so far
    double total        # of the action's probabilities
    Stream stream       # of the decks behind these hands


cdef class Expectations:
    cdef const Game *game
    cdef readonly Beliefs beliefs   # about the other side's hidden cards, by slot; None: nothing is hidden or told
    cdef int opponents              # built-in ones of the game
    cdef double slip                # share of random play in that of each known opponent
    cdef bint told                  # the learner knows which built-in opponent it plays
    cdef bint infers                # the learner finds out
    cdef int assumed                # number of the built-in opponent that it expects always, or NO_MODEL
    cdef int32_t[::1] among         # numbers of the opponents that it tells apart, with NO_MODEL
    cdef uint8_t[::1] believes      # [slots], whether the game's learner has beliefs
    cdef int32_t[::1] expected      # [slots], number of the opponent that it expects, or NO_MODEL
    cdef int32_t[::1] answered      # [slots], number of the opponent that exact values are those against, or NO_MODEL
    cdef Question[::1] questions    # [slots]
    cdef uint8_t[:, ::1] imagined   # [slots, state_size], the position in which the network is asked

    cdef void begin(self, Py_ssize_t slot, const uint8_t *state, int searcher, int opponent) noexcept nogil
    cdef bint _tells_apart(self, int opponent) noexcept nogil
    cdef int model(self, Py_ssize_t slot) noexcept nogil
    cdef int target(self, Py_ssize_t slot) noexcept nogil
    cdef void mixture(self, Py_ssize_t slot, Mixture *mixture) noexcept nogil
    cdef void tell(self, Py_ssize_t slot, bint learner, float *condition, int size) noexcept nogil
    cdef bint wonders(self, Py_ssize_t slot) noexcept nogil
    cdef bint asks(self, Py_ssize_t slot, const uint8_t *state, int action, Stream stream) noexcept nogil
    cdef const uint8_t *imagine(self, Py_ssize_t slot, const uint8_t *state) noexcept nogil
    cdef bint take(self, Py_ssize_t slot, const uint8_t *state, int action, float probability, int legal) noexcept nogil
    cdef void observe(self, Py_ssize_t slot, const uint8_t *state, int action) noexcept nogil
