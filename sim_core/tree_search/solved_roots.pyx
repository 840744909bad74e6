"""Chooses the hardest action to answer among those that keep a solved position's value."""
from libc.stdint cimport int16_t, uint8_t, uint64_t
from libc.string cimport memcpy

from sim_core.game cimport Game

cdef int hardest_action(
    const Game *game, const void *state, const int16_t *actions, const uint8_t *optimal, int count
) noexcept nogil:
    """Returns the optimal action after which the opponent's replies are best for the mover on average. Ties: the first.

    There an opponent that does not solve the endgame errs most often.
    """
    cdef uint64_t child[128]    # aligned for any state's fields
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
                score += value_after(game, child, replies[j], mover, -1, 1) / <double>number
        if score > best_score + 1e-9:
            best_score = score
            best = actions[k]
    return best
