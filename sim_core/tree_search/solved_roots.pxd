"""Finds the actions of a solvable position that keep its value, in any game."""
from libc.stdint cimport int16_t, uint8_t, uint64_t
from libc.string cimport memcpy

from sim_core.game cimport Game


cdef struct SolvedRoot:
    int value       # for the player to move
    int count       # of legal actions


cdef inline int value_after(
    const Game *game, const void *state, int action, int mover, int alpha, int beta
) noexcept nogil:
    """Returns the exact value for `mover`, within (alpha, beta), after an action in a solvable position."""
    cdef uint64_t room[128]     # aligned for any state's fields
    cdef void *child = <void *>room
    memcpy(child, state, game.state_size)
    game.step(child, action)
    if game.is_terminal(child):
        return game.outcome(child, mover)
    if game.to_move(child) == mover:
        return game.solve(child, alpha, beta, NULL)
    return -game.solve(child, -beta, -alpha, NULL)


cdef inline SolvedRoot optimal_actions(
    const Game *game, const void *state, int16_t *actions, uint8_t *optimal
) noexcept nogil:
    """Solves a solvable position. Fills the legal actions, in increasing order, and whether each keeps the value.

    `actions` and `optimal` need room for the game's `max_legal`. A finished game has no action.
    """
    cdef SolvedRoot root
    cdef int16_t best = -1
    cdef int k, mover = game.to_move(state)
    root.count = game.legal_actions(state, actions)
    if game.solve_actions != NULL:
        root.value = game.solve_actions(state, actions, root.count, optimal)
        return root
    root.value = game.solve(state, -1, 1, &best)
    for k in range(root.count):
        # a window just wide enough to tell whether the child's value is the root's
        optimal[k] = (
            actions[k] == best or root.value == -1
            or value_after(game, state, actions[k], mover, root.value - 1, root.value) >= root.value
        )
    return root


cdef int hardest_action(
    const Game *game, const void *state, const int16_t *actions, const uint8_t *optimal, int count
) noexcept nogil
