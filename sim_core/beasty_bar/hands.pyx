"""Answers a filter over the other player's hand: which hands there may be, and how likely an action is with each.

A hand is a set of species. Nothing here reads which of a player's unplayed cards are in the hand and which in the deck.
"""
from libc.stdint cimport int16_t, uint32_t, uint64_t

from sim_core.rng cimport Stream
from sim_core.beasty_bar.opponents cimport (
    POINTS_OF_NOISE, below_noise, is_tied, noise_of, score_actions, weight_of_noise,
)
from sim_core.beasty_bar.rules cimport (
    ACTION_PARTS, BeastyState, MASK_COUNT, NUM_ACTIONS, NUM_SPECIES, deck_cards, legal_actions, shuffled,
)

cdef extern from *:
    int lowest_bit "__builtin_ctz"(uint32_t bits) noexcept nogil


cdef struct Scored:
    # every action of a player's unplayed cards; those of a card are in turn, and do not depend on the rest of a hand
    double scores[NUM_ACTIONS]
    int first[NUM_SPECIES]      # by card
    int last[NUM_SPECIES]       # by card, one beyond; 0: the card has no action
    int card                    # which is played
    int chosen                  # the action that is played; -1: not possible here


cdef int hidden_hands(const BeastyState *s, int player, uint64_t *hands) noexcept nogil:
    """Fills the hands that a player may hold for all the other knows, in increasing order. Returns their number."""
    cdef int unplayed = s.hand[player] | deck_cards(s, player), size = MASK_COUNT[s.hand[player]], hand = 0, count = 0
    while True:
        if MASK_COUNT[hand] == size:
            hands[count] = hand
            count += 1
        hand = (hand - unplayed) & unplayed     # the next larger subset
        if hand == 0:
            return count


cdef Scored scored_actions(int opponent, const BeastyState *s, int action) noexcept nogil:
    """Returns an opponent's scores for all unplayed cards of the player to move, as if all were in its hand.

    In a smaller hand all scores change by the same number, because they count the points that stay in the hand.
    """
    cdef Scored found
    cdef BeastyState all_in_hand = s[0]
    cdef int16_t actions[NUM_ACTIONS]
    cdef int count, k, card
    all_in_hand.hand[s.to_move] |= <unsigned short>deck_cards(s, s.to_move)
    count = legal_actions(&all_in_hand, actions)
    score_actions(opponent, &all_in_hand, actions, count, found.scores)
    found.card = ACTION_PARTS[action].card
    found.chosen = -1
    for card in range(NUM_SPECIES):
        found.first[card] = found.last[card] = 0
    for k in range(count):
        card = ACTION_PARTS[actions[k]].card
        if found.last[card] == 0:
            found.first[card] = k
        found.last[card] = k + 1
        if actions[k] == action:
            found.chosen = k
    return found


cdef void hand_likelihoods(
    int opponent, const BeastyState *s, int action, const uint64_t *hands, int count, double *likelihoods
) noexcept nogil:
    """Fills how likely the opponent that is to move plays the action with each of these hands."""
    cdef Scored found = scored_actions(opponent, s, action)
    cdef int k
    if found.chosen < 0:
        for k in range(count):
            likelihoods[k] = 0.0
    elif noise_of(opponent) > 0.0:
        noisy_likelihoods(&found, noise_of(opponent), hands, count, likelihoods)
    else:
        tied_likelihoods(&found, hands, count, likelihoods)


cdef void tied_likelihoods(const Scored *found, const uint64_t *hands, int count, double *likelihoods) noexcept nogil:
    """Fills 0 for hands with a better action, else 1 / the number of their best ones."""
    cdef double best_of[NUM_SPECIES]
    cdef double best
    cdef uint32_t left
    cdef int card, k, j, ties
    for card in range(NUM_SPECIES):
        best_of[card] = -1e300
        for j in range(found.first[card], found.last[card]):
            best_of[card] = max(best_of[card], found.scores[j])
    for k in range(count):
        likelihoods[k] = 0.0
        if not hands[k] >> found.card & 1:
            continue
        best = -1e300
        left = <uint32_t>hands[k]
        while left:
            best = max(best, best_of[lowest_bit(left)])
            left &= left - 1
        if not is_tied(found.scores[found.chosen], best):
            continue
        ties = 0
        left = <uint32_t>hands[k]
        while left:
            card = lowest_bit(left)
            left &= left - 1
            for j in range(found.first[card], found.last[card]):
                ties += is_tied(found.scores[j], best)
        likelihoods[k] = 1.0 / ties


cdef void noisy_likelihoods(
    const Scored *found, double noise, const uint64_t *hands, int count, double *likelihoods
) noexcept nogil:
    """Fills the integral of `chance_to_win` (opponents.pyx) for each hand, from one product for each card and point."""
    cdef double products[NUM_SPECIES][POINTS_OF_NOISE]
    cdef double together[POINTS_OF_NOISE]
    cdef uint32_t left
    cdef int card, point, k, j
    for card in range(NUM_SPECIES):
        if found.last[card] == 0:
            continue
        for point in range(POINTS_OF_NOISE):
            products[card][point] = weight_of_noise(point) if card == found.card else 1.0
            for j in range(found.first[card], found.last[card]):
                if j != found.chosen:
                    products[card][point] *= below_noise(point, (found.scores[found.chosen] - found.scores[j]) / noise)
    for k in range(count):
        likelihoods[k] = 0.0
        left = <uint32_t>hands[k]
        if not left >> found.card & 1:
            continue
        left ^= <uint32_t>1 << found.card
        for point in range(POINTS_OF_NOISE):
            together[point] = products[found.card][point]
        while left:
            card = lowest_bit(left)
            left &= left - 1
            for point in range(POINTS_OF_NOISE):
                together[point] *= products[card][point]
        for point in range(POINTS_OF_NOISE):
            likelihoods[k] += together[point]


cdef int next_hands(const BeastyState *s, int action, uint64_t hand, uint64_t *hands) noexcept nogil:
    """Fills the equally likely hands of the player to move after its turn with this hand.

    Returns their number, which is 0 where the hand does not hold the card.
    """
    cdef int card = ACTION_PARTS[action].card, count = 0
    cdef uint32_t left = (s.hand[s.to_move] | deck_cards(s, s.to_move)) & ~<uint32_t>hand
    if not hand >> card & 1:
        return 0
    hand ^= <uint64_t>1 << card
    if left == 0:
        hands[0] = hand
        return 1
    while left:
        hands[count] = hand | <uint64_t>1 << lowest_bit(left)
        count += 1
        left &= left - 1
    return count


cdef void deal_hand(BeastyState *s, int player, uint64_t hand, Stream *stream) noexcept nogil:
    """Gives a player this hand, and puts what is left of both players' decks in random order."""
    cdef int deck = (s.hand[player] | deck_cards(s, player)) & ~<int>hand
    s.hand[player] = <unsigned short>hand
    shuffled(deck_cards(s, 1 - player), stream, s.deck[1 - player])
    shuffled(deck, stream, s.deck[player])
