"""What a game runner keeps of its games: memory layout, and what the runner calls without the GIL."""
from libc.stdint cimport int8_t, int32_t, uint8_t, uint64_t

from sim_core.game cimport Game, GameHandle
from sim_core.in_use cimport InUse


cdef class GameRecord:
    cdef GameHandle handle
    cdef const Game *game
    cdef InUse in_use
    cdef readonly bint keeps_positions, keeps_keys
    cdef bint wants_exact               # positions learn exact values where there are any
    cdef uint8_t[:, :, ::1] kept_states     # [m, max_plies, state_size]
    cdef float[:, :, ::1] kept_policies     # [m, max_plies, A]
    cdef int8_t[:, ::1] kept_movers         # [m, max_plies], -1 where nothing is kept
    cdef float[:, ::1] kept_values          # [m, max_plies], of the search; NaN where there was none
    cdef float[:, ::1] kept_exact           # [m, max_plies], exact for player 0, or NaN
    cdef uint8_t[:, :, ::1] kept_conditions # [m, max_plies, condition_size], probabilities times 255
    cdef int32_t[::1] kept                  # [m], positions kept of each game
    cdef float[::1] solved                  # [m], of the first solvable position for player 0, or NaN
    cdef int8_t[::1] ends                   # [m], outcomes for player 0
    cdef int32_t[:, ::1] final_scores       # [m, 2]
    cdef uint64_t[::1] hashes               # [m], of what the players have seen; [0] where no keys are kept

    cdef void see(self, Py_ssize_t number, const uint8_t *state, int model, int searcher) noexcept nogil
    cdef void keep(
        self, Py_ssize_t number, const uint8_t *state, const float *policy, float value, int model,
        const float *condition
    ) noexcept nogil
    cdef void add_to_key(self, Py_ssize_t number, const uint8_t *state, int controller, float *room) noexcept nogil
    cdef void end(self, Py_ssize_t number, const uint8_t *state) noexcept nogil
    cdef _kept(self, rows)
    cdef _signs(self)
    cdef float value_of(self, const uint8_t *state, int model, int searcher) noexcept nogil
