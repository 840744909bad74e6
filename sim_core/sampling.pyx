"""Draws what the runner's games leave to chance: their random openings, and moves from a policy."""
from libc.math cimport pow
from libc.stdint cimport int16_t, uint8_t, uint64_t
from libc.string cimport memcpy

from sim_core.game cimport Game
from sim_core.rng cimport Stream, next_below, next_double


cdef void play_opening(const Game *game, uint8_t *state, int plies, Stream *stream) noexcept nogil:
    """Plays random actions, drawn uniformly from those that do not end the game. It stops early where all do."""
    cdef int16_t actions[256]
    cdef uint64_t after[128]    # aligned for any state's fields
    cdef int ply, count, k
    for ply in range(plies):
        count = game.legal_actions(state, actions)
        while count > 0:
            k = <int>next_below(stream, count)
            memcpy(after, state, game.state_size)
            game.step(after, actions[k])
            if not game.is_terminal(after):
                break
            count -= 1
            actions[k] = actions[count]
        if count == 0:
            return
        memcpy(state, after, game.state_size)


cdef int sample(const float *policy, int num_actions, double temperature, Stream *stream) noexcept nogil:
    """Draws an action from policy ** (1 / temperature). Temperature 0 takes the first best action."""
    cdef double weights[256]
    cdef double total = 0.0, left
    cdef int k, best = 0, last = -1
    for k in range(num_actions):
        if policy[k] > policy[best]:
            best = k
    if temperature == 0.0:
        return best
    for k in range(num_actions):
        weights[k] = policy[k] if temperature == 1.0 else pow(policy[k] / policy[best], 1.0 / temperature)
        total += weights[k]
    left = next_double(stream) * total
    for k in range(num_actions):
        if weights[k] > 0.0:
            last = k
            left -= weights[k]
            if left < 0.0:
                return k
    return last     # rounding left a remainder
