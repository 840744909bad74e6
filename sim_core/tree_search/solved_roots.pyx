"""Solves positions in which nothing is hidden, for any game.

Without a model both sides play perfectly, as the game's own solver says. With one, the other side plays as a known
opponent does, and the value is that of the best response to it: a maximum over own actions, a mean over the opponent's.
"""
from libc.stdint cimport int16_t, uint8_t, uint64_t
from libc.string cimport memcpy

from sim_core.game cimport Game

cdef double NEARLY = 1e-6   # values closer than this are equal: probabilities are float32
cdef double RARE = 0.05     # opponents that are less likely than this do not stand in the way of exact values


cdef int value_after(
    const Game *game, const void *state, int action, int mover, int alpha, int beta
) noexcept nogil:
    """Returns the exact value for `mover`, within (alpha, beta), after an action in a solvable position."""
    cdef uint64_t child[128]    # aligned for any state's fields
    memcpy(child, state, game.state_size)
    game.step(child, action)
    if game.is_terminal(child):
        return game.outcome(child, mover)
    if game.to_move(child) == mover:
        return game.solve(child, alpha, beta, NULL)
    return -game.solve(child, -beta, -alpha, NULL)


cdef double response_value(const Game *game, const void *state, int model, int searcher) noexcept nogil:
    """Returns the value, for `searcher`, of the best response to a known opponent from a solvable position on."""
    cdef uint64_t child[128]    # aligned for any state's fields
    cdef int16_t actions[256]
    cdef float probabilities[256]
    cdef int count, k
    cdef double value, best = -1.0
    if game.is_terminal(state):
        return game.outcome(state, searcher)
    count = game.legal_actions(state, actions)
    if game.to_move(state) == searcher:
        for k in range(count):
            memcpy(child, state, game.state_size)
            game.step(child, actions[k])
            best = max(best, response_value(game, child, model, searcher))
            if best >= 1.0 - NEARLY:
                break
        return best
    if model >= FIRST_AGENT:
        agent_policy(model, state, probabilities)
    else:
        game.opponent_policy(model, state, probabilities)
    value = 0.0
    for k in range(count):
        if probabilities[actions[k]] > 0.0:
            memcpy(child, state, game.state_size)
            game.step(child, actions[k])
            value += probabilities[actions[k]] * response_value(game, child, model, searcher)
    return value


cdef double exact_value(const Game *game, const void *state, int model, int searcher) noexcept nogil:
    """Returns the exact value for the player to move; `has_exact_value` says where there is one.

    With a model the other side of `searcher` plays as that opponent.
    """
    if model == NO_MODEL:
        return game.solve(state, -1, 1, NULL)
    cdef double value = response_value(game, state, model, searcher)
    return value if game.to_move(state) == searcher else -value


cdef SolvedRoot optimal_actions(
    const Game *game, const void *state, int model, int16_t *actions, uint8_t *optimal
) noexcept nogil:
    """Solves a position. Fills the legal actions, in increasing order, and whether each keeps the value.

    `actions` and `optimal` need room for the game's `max_legal`. A finished game has no action.
    """
    cdef uint64_t child[128]    # aligned for any state's fields
    cdef double values[256]
    cdef SolvedRoot root
    cdef int16_t best = -1
    cdef int k, mover = game.to_move(state)
    root.count = game.legal_actions(state, actions)
    if model != NO_MODEL:
        root.value = -1.0
        for k in range(root.count):
            memcpy(child, state, game.state_size)
            game.step(child, actions[k])
            values[k] = response_value(game, child, model, mover)
            root.value = max(root.value, values[k])
        for k in range(root.count):
            optimal[k] = values[k] >= root.value - NEARLY
        return root
    if game.solve_actions != NULL:
        root.value = game.solve_actions(state, actions, root.count, optimal)
        return root
    cdef int value = game.solve(state, -1, 1, &best)
    root.value = value
    for k in range(root.count):
        # a window just wide enough to tell whether the child's value is the root's
        optimal[k] = (
            actions[k] == best or value == -1
            or value_after(game, state, actions[k], mover, value - 1, value) >= value
        )
    return root


cdef bint keep_solvable(const Game *game, const void *state, Mixture *mixture) noexcept nogil:
    """Leaves out rare opponents that a position cannot be solved against. Returns whether it can against the rest."""
    cdef int kept = 0, j
    cdef double total = 0.0
    if not game.is_solvable(state):
        return False
    for j in range(mixture.count):
        if has_exact_value(game, state, mixture.models[j]):
            total += mixture.shares[j]
        elif mixture.shares[j] >= RARE:
            return False
    if total <= 0.0:
        return False
    for j in range(mixture.count):
        if has_exact_value(game, state, mixture.models[j]):
            mixture.models[kept] = mixture.models[j]
            mixture.shares[kept] = mixture.shares[j] / total
            kept += 1
    mixture.count = kept
    return True


cdef SolvedRoot expected_actions(
    const Game *game, const void *state, const Mixture *mixture, int16_t *actions, uint8_t *optimal
) noexcept nogil:
    """Solves a position against opponents that the other side may be, as `optimal_actions` does against one.

    An action's value is the mean over the opponents of the value against each, who is known from then on.
    """
    cdef uint64_t child[128]    # aligned for any state's fields
    cdef double values[256]
    cdef SolvedRoot root
    cdef int k, j, mover = game.to_move(state)
    if mixture.count == 1:
        return optimal_actions(game, state, mixture.models[0], actions, optimal)
    root.count = game.legal_actions(state, actions)
    root.value = -1.0
    for k in range(root.count):
        memcpy(child, state, game.state_size)
        game.step(child, actions[k])
        values[k] = 0.0
        for j in range(mixture.count):
            if mixture.models[j] == NO_MODEL:
                values[k] += mixture.shares[j] * value_after(game, state, actions[k], mover, -1, 1)
            else:
                values[k] += mixture.shares[j] * response_value(game, child, mixture.models[j], mover)
        root.value = max(root.value, values[k])
    for k in range(root.count):
        optimal[k] = values[k] >= root.value - NEARLY
    return root


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
