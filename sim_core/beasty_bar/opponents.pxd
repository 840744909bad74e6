from sim_core.rng cimport Stream
from sim_core.beasty_bar.rules cimport BeastyState


cdef int opponent_action(int opponent, const BeastyState *s, Stream *stream) noexcept nogil
