"""The exact endgame: win, draw or loss by alpha-beta (Knuth and Moore 1975), once no card is hidden any more."""
from libc.stdint cimport int16_t

from sim_core.rules cimport (
    BeastyState, MASK_POINTS, MAX_LEGAL, SCORING_POINTS, end_turn, is_terminal, legal_actions, outcome, owner_of,
    resolve_turn, species_of,
)


cdef bint is_solvable(const BeastyState *s) noexcept nogil:
    """Both decks are empty, so each player knows the other's hand."""
    return s.deck_size[0] == 0 and s.deck_size[1] == 0


cdef inline int decided(const BeastyState *s) noexcept nogil:
    """1 or -1 where the points still to be had cannot change who wins, for the mover; else 0."""
    cdef int mover = s.to_move, place, card
    cdef int open_cards[2]
    cdef int lead = <int>MASK_POINTS[s.bar[mover]] - MASK_POINTS[s.bar[1 - mover]]
    open_cards[0] = s.hand[0]
    open_cards[1] = s.hand[1]
    for place in range(s.line_size):
        card = s.line[place]
        open_cards[owner_of(card)] |= 1 << species_of(card)
    if lead > <int>MASK_POINTS[open_cards[1 - mover]]:
        return 1
    if -lead > <int>MASK_POINTS[open_cards[mover]]:
        return -1
    return 0


cdef int solve(const BeastyState *s, int alpha, int beta, int16_t *best) noexcept nogil:
    """Value for the player to move within (alpha, beta), fail-soft; `best` gets a best action where not NULL."""
    cdef int16_t actions[MAX_LEGAL]
    cdef BeastyState child
    cdef int count, k, value, top = -2
    if is_terminal(s):
        return outcome(s, s.to_move, s.scoring)
    if s.scoring == SCORING_POINTS and best == NULL:
        value = decided(s)
        if value != 0:
            return value
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
            if alpha >= beta or top == 1:
                break
    return top
