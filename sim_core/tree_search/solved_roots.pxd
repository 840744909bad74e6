"""Finds exact values, and the actions that keep them, in any game: against perfect play or a known opponent."""
from libc.stdint cimport int16_t, int32_t, uint8_t

from sim_core.game cimport Game


cdef enum:
    NO_MODEL = -1       # in place of an opponent's number: none of the built-in ones, so the other side plays its best
    MAX_OPPONENTS = 64  # that are told apart
    FIRST_AGENT = 1024  # from here on numbers are those of agents written in Python (agent_models.pxd)
    AGENT_PLIES = 6     # turns before the end from which an agent is asked about every reply


# Fills what `Game.opponent_policy` does, for the number of an agent. agent_models.pyx sets it.
cdef void (*agent_policy)(int model, const void *state, float *probabilities) noexcept nogil


cdef struct Mixture:
    # The opponents that the other player may be.
    int count
    int32_t models[64]  # their numbers, or NO_MODEL
    double shares[64]   # how likely each is; the sum is 1


cdef inline void mix_one(Mixture *mixture, int model) noexcept nogil:
    """Fills a mixture of one opponent."""
    mixture.count = 1
    mixture.models[0] = model
    mixture.shares[0] = 1.0


cdef struct SolvedRoot:
    double value    # for the player to move
    int count       # of legal actions


cdef inline bint has_exact_value(const Game *game, const void *state, int model) noexcept nogil:
    """Returns whether a position can be solved; with a model, whether the best response to it can be."""
    if not game.is_solvable(state):
        return False
    if model == NO_MODEL:
        return True
    if model >= FIRST_AGENT:
        return game.max_plies - game.ply(state) <= AGENT_PLIES
    return game.response_plies != NULL and game.max_plies - game.ply(state) <= game.response_plies(model)


cdef double exact_value(const Game *game, const void *state, int model, int searcher) noexcept nogil
cdef SolvedRoot optimal_actions(
    const Game *game, const void *state, int model, int16_t *actions, uint8_t *optimal
) noexcept nogil
cdef int hardest_action(
    const Game *game, const void *state, const int16_t *actions, const uint8_t *optimal, int count
) noexcept nogil
cdef bint keep_solvable(const Game *game, const void *state, Mixture *mixture) noexcept nogil
cdef SolvedRoot expected_actions(
    const Game *game, const void *state, const Mixture *mixture, int16_t *actions, uint8_t *optimal
) noexcept nogil
