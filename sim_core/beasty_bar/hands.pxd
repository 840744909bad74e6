from libc.stdint cimport uint64_t

from sim_core.rng cimport Stream
from sim_core.beasty_bar.rules cimport BeastyState


cdef enum:
    MAX_HANDS = 495     # ways to choose four of twelve cards


cdef int hidden_hands(const BeastyState *s, int player, uint64_t *hands) noexcept nogil
cdef void hand_likelihoods(
    int opponent, const BeastyState *s, int action, const uint64_t *hands, int count, double *likelihoods
) noexcept nogil
cdef int next_hands(const BeastyState *s, int action, uint64_t hand, uint64_t *hands) noexcept nogil
cdef void deal_hand(BeastyState *s, int player, uint64_t hand, Stream *stream) noexcept nogil
