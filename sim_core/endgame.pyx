"""The exact endgame: win, draw or loss by alpha-beta (Knuth and Moore 1975), once no card is hidden any more."""
from libc.stdint cimport int16_t

from sim_core.rules cimport (
    BeastyState, MASK_COUNT, MASK_POINTS, MAX_LEGAL, SCORING_POINTS, end_turn, is_terminal, legal_actions, outcome, owner_of,
    resolve_turn, species_of,
)

cdef enum:
    MOST_POINTS = 4     # of one animal


cdef bint is_solvable(const BeastyState *s) noexcept nogil:
    """Both decks are empty, so each player knows the other's hand."""
    return s.deck_size[0] == 0 and s.deck_size[1] == 0


cdef struct Bounds:
    int lower
    int upper


cdef inline int sign(int x) noexcept nogil:
    return (x > 0) - (x < 0)


cdef inline Bounds outcome_bounds(const BeastyState *s) noexcept nogil:
    """Between what outcomes the mover's lies, by the points that can still be had.

    Each five-animal check lets two animals in and takes three off the line, so the cards left limit the checks.
    """
    cdef int mover = s.to_move, place, card, checks, most
    cdef int open_cards[2]
    cdef int lead = <int>MASK_POINTS[s.bar[mover]] - MASK_POINTS[s.bar[1 - mover]]
    cdef Bounds bounds
    open_cards[0] = s.hand[0]
    open_cards[1] = s.hand[1]
    checks = s.line_size + MASK_COUNT[s.hand[0]] + MASK_COUNT[s.hand[1]] - 2
    checks = checks // 3 if checks > 0 else 0
    most = 2 * MOST_POINTS * checks
    for place in range(s.line_size):
        card = s.line[place]
        open_cards[owner_of(card)] |= 1 << species_of(card)
    bounds.upper = sign(lead + min(most, <int>MASK_POINTS[open_cards[mover]]))
    bounds.lower = sign(lead - min(most, <int>MASK_POINTS[open_cards[1 - mover]]))
    return bounds


cdef int solve(const BeastyState *s, int alpha, int beta, int16_t *best) noexcept nogil:
    """Value for the player to move within (alpha, beta), fail-soft; `best` gets a best action where not NULL."""
    cdef int16_t actions[MAX_LEGAL]
    cdef BeastyState child
    cdef Bounds bounds
    cdef int count, k, value, top = -2, limit = 1
    if is_terminal(s):
        return outcome(s, s.to_move, s.scoring)
    if s.scoring == SCORING_POINTS and best == NULL:
        bounds = outcome_bounds(s)
        if bounds.lower >= beta or bounds.lower == bounds.upper:
            return bounds.lower
        if bounds.upper <= alpha:
            return bounds.upper
        limit = bounds.upper
    count = legal_actions(s, actions)
    for k in range(count):
        child = s[0]
        resolve_turn(&child, actions[k])
        end_turn(&child)
        value = -solve(&child, -beta, -alpha, NULL)
        if value > top:
            top = value
            if best != NULL:
                best[0] = actions[k]
            if top > alpha:
                alpha = top
            if alpha >= beta or top >= limit:
                break
    return top
