from libc.stdint cimport int64_t, uint8_t, uint64_t

from sim_core.game cimport Game, GameHandle
from sim_core.in_use cimport InUse
from sim_core.rng cimport Stream


cdef int select_random_action_nogil(const Game *game, const void *state, Stream *stream) noexcept nogil


cdef class GameBatch:
    cdef readonly GameHandle handle
    cdef const Game *game
    cdef InUse in_use
    cdef Py_ssize_t n
    cdef readonly uint64_t seed
    cdef uint8_t[:, ::1] states         # [n, state_size]
    cdef int64_t[::1] stream_numbers    # [n]
    cdef Stream[::1] streams            # [n], for random play

    cdef int _allocate(self, GameHandle handle, n, seed) except -1
    cdef int _step(self, const int64_t[::1] ids) except -1

    cdef inline uint8_t *at(self, Py_ssize_t i) noexcept nogil:
        return &self.states[i, 0]
