"""Declares what the built-in opponents play and how likely each action is, and how both follow from scores."""
from libc.math cimport erfc, exp, fabs
from libc.stdint cimport int16_t

from sim_core.rng cimport Stream
from sim_core.beasty_bar.rules cimport BeastyState


cdef enum:
    # Integrals over a Gaussian draw z are sums over these points, from -7.875 to 7.875 by 0.25. They converge so fast
    # that twice as many change nothing above 1e-9, with 14 other actions (Trefethen and Weideman 2014).
    POINTS_OF_NOISE = 64


cdef inline bint is_tied(double score, double best) noexcept nogil:
    """Returns whether a score counts as equal to the best one."""
    return fabs(score - best) <= 1e-6


cdef inline double noise_at(int point) noexcept nogil:
    return 0.25 * (point - 31.5)


cdef inline double weight_of_noise(int point) noexcept nogil:
    """Returns the draw's density at a point times the distance of two points."""
    return 0.25 * 0.3989422804014327 * exp(-0.5 * noise_at(point) * noise_at(point))


cdef inline double below_noise(int point, double lead) noexcept nogil:
    """Returns how likely a second draw is below this one plus `lead`, all in standard deviations."""
    return 0.5 * erfc(-0.7071067811865476 * (noise_at(point) + lead))


cdef void score_actions(
    int opponent, const BeastyState *s, const int16_t *actions, int count, double *scores
) noexcept nogil
cdef bint plays_one_rule(int opponent) noexcept nogil
cdef double noise_of(int opponent) noexcept nogil
cdef int opponent_action(int opponent, const BeastyState *s, Stream *stream) noexcept nogil
cdef void opponent_policy(int opponent, const BeastyState *s, float *probabilities) noexcept nogil
