from libc.stdint cimport int16_t, uint8_t

from sim_core.game cimport Game


cdef int hardest_action(
    const Game *game, const void *state, const int16_t *actions, const uint8_t *optimal, int count
) noexcept nogil
