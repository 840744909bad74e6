"""Finds exact values, and the actions that keep them, in any game: against perfect play, or against a built-in opponent."""
from libc.stdint cimport int16_t, uint8_t

from sim_core.game cimport Game


cdef enum:
    NO_MODEL = -1       # in place of an opponent's number: the other side plays perfectly


cdef struct SolvedRoot:
    double value    # for the player to move
    int count       # of legal actions


cdef inline bint has_exact_value(const Game *game, const void *state, int model) noexcept nogil:
    """Returns whether a position can be solved; with a model, whether the best response to it can be."""
    if not game.is_solvable(state):
        return False
    if model == NO_MODEL:
        return True
    return game.response_plies != NULL and game.max_plies - game.ply(state) <= game.response_plies(model)


cdef double exact_value(const Game *game, const void *state, int model, int searcher) noexcept nogil
cdef SolvedRoot optimal_actions(
    const Game *game, const void *state, int model, int16_t *actions, uint8_t *optimal
) noexcept nogil
cdef int hardest_action(
    const Game *game, const void *state, const int16_t *actions, const uint8_t *optimal, int count
) noexcept nogil
