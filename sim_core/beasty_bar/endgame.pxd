from libc.stdint cimport int16_t, uint8_t

from sim_core.beasty_bar.rules cimport BeastyState


cdef bint is_solvable(const BeastyState *s) noexcept nogil
cdef int solve(const BeastyState *s, int alpha, int beta, int16_t *best) noexcept nogil
cdef int solve_actions(const BeastyState *s, const int16_t *actions, int count, uint8_t *optimal) noexcept nogil
