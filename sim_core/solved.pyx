"""Positions that can be solved: of the actions that keep the exact value, the one hardest to answer."""
from libc.stdint cimport int16_t, uint8_t, uint64_t
from libc.string cimport memcpy

from sim_core.game cimport Game

cdef enum:
    STATE_WORDS = 128       # of 8 bytes: aligned room for any state


cdef inline int solve_after(
    const Game *game, const void *state, int action, int mover, int alpha, int beta
) noexcept nogil:
    """Value for `mover`, within the window, once the action is played."""
    cdef uint64_t child[STATE_WORDS]
    memcpy(child, state, game.state_size)
    game.step(child, action)
    if game.is_terminal(child):
        return game.outcome(child, mover)
    if game.to_move(child) == mover:
        return game.solve(child, alpha, beta, NULL)
    return -game.solve(child, -beta, -alpha, NULL)


cdef int hardest_action(
    const Game *game, const void *state, const int16_t *actions, const uint8_t *optimal, int count
) noexcept nogil:
    """Of the optimal actions the one after which the other's replies are best for the mover on average; ties: first.

    An opponent that does not solve the endgame errs most often there.
    """
    cdef uint64_t child[STATE_WORDS]
    cdef int16_t replies[256]
    cdef int mover = game.to_move(state), k, j, number, best = -1
    cdef double score, best_score = -2.0
    for k in range(count):
        if not optimal[k]:
            continue
        memcpy(child, state, game.state_size)
        game.step(child, actions[k])
        score = 0.0
        if game.is_terminal(child):
            score = game.outcome(child, mover)
        else:
            number = game.legal_actions(child, replies)
            for j in range(number):
                score += solve_after(game, child, replies[j], mover, -1, 1) / <double>number
        if score > best_score + 1e-9:
            best_score = score
            best = actions[k]
    return best
