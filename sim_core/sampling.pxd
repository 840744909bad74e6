"""Declares the draws that the runner makes without the GIL."""
from libc.stdint cimport uint8_t

from sim_core.game cimport Game
from sim_core.rng cimport Stream

cdef void play_opening(const Game *game, uint8_t *state, int plies, Stream *stream) noexcept nogil
cdef int sample(const float *policy, int num_actions, double temperature, Stream *stream) noexcept nogil
