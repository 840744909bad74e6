"""Holds the rules of Beasty Bar for two players (publisher's rulebook, first edition; docs/rules.md).

What the animals do is in line.pxd, which the endgame shares.
"""
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from sim_core.beasty_bar.line cimport (
    ID_K, ID_M, ID_P, ID_U, ID_X, ID_X_K1, ID_X_L, ID_X_M, ID_X_P0, ID_X_U, Line, append, list_actions, play,
)

from sim_core.rng cimport Stream, next_below

# The one table of the animals: letter, name, points. Strength is 12 for the first, and one less for each that follows.
SPECIES = (
    ("L", "lion", 2), ("H", "hippo", 2), ("C", "crocodile", 3), ("S", "snake", 2),
    ("G", "giraffe", 3), ("Z", "zebra", 4), ("E", "seal", 2), ("X", "chameleon", 3),
    ("M", "monkey", 3), ("K", "kangaroo", 4), ("P", "parrot", 4), ("U", "skunk", 4),
)
LETTERS = "".join([letter for letter, _, _ in SPECIES])

# The one table of actions: an action's id is its index here (docs/notation.md).
ACTIONS = (
    *"LHCSGZEMU", "K", "K1", "K2", "P", "P0", "P1", "P2", "P3", "X",
    *[f"X={letter}" for letter in "LHCSGZEMU"], "X=K1", "X=K2", "X=P0", "X=P1", "X=P2", "X=P3",
)

cdef ActionParts ACTION_PARTS[33]
cdef uint8_t POINTS[12]
cdef uint8_t MASK_POINTS[4096]
cdef uint8_t MASK_COUNT[4096]
cdef uint8_t MASK_STRENGTH[4096]


def _fill_tables():
    cdef int mask, k
    for k, (_, _, points) in enumerate(SPECIES):
        POINTS[k] = points
    for mask in range(4096):
        members = [k for k in range(12) if mask >> k & 1]
        MASK_COUNT[mask] = len(members)
        MASK_POINTS[mask] = sum([SPECIES[k][2] for k in members])
        MASK_STRENGTH[mask] = sum([12 - k for k in members])
    for k, text in enumerate(ACTIONS):
        card, _, imitated = text.partition("=")
        acts = imitated or card
        ACTION_PARTS[k].card = LETTERS.index(card[0])
        ACTION_PARTS[k].acts_as = NO_SPECIES if text == "X" else LETTERS.index(acts[0])
        # -1: a parrot on an empty line has no target. 0: a kangaroo on an empty line jumps over none.
        ACTION_PARTS[k].choice = int(acts[1:]) if len(acts) > 1 else -1 if acts == "P" else 0
    first_ids = {"M": ID_M, "U": ID_U, "K": ID_K, "P": ID_P, "X": ID_X, "X=L": ID_X_L, "X=M": ID_X_M,
                 "X=U": ID_X_U, "X=K1": ID_X_K1, "X=P0": ID_X_P0}
    assert all([ACTIONS[value] == text for text, value in first_ids.items()])


_fill_tables()


cdef bint is_valid(const BeastyState *s, int scoring) noexcept nogil:
    """Returns whether the bytes are a position of this scoring that the notation can write. Unused bytes must be 0."""
    cdef const uint8_t *padding = &s.scoring + 1
    cdef int seen[2]
    cdef int player, k, card, piles
    if s.to_move > 1 or s.ply > NUM_PLIES or s.scoring != scoring or s.line_size > MAX_LINE:
        return False
    for player in range(2):
        piles = s.bar[player] | s.thatsit[player]
        seen[player] = piles | s.hand[player]
        if (
            seen[player] >> NUM_SPECIES or s.bar[player] & s.thatsit[player] or piles & s.hand[player]
            or MASK_COUNT[s.hand[player]] > MAX_HAND or s.deck_size[player] > MAX_DECK
        ):
            return False
        for k in range(MAX_DECK):
            card = s.deck[player][k]
            if k >= s.deck_size[player]:
                if card:
                    return False
            elif card >= NUM_SPECIES or seen[player] >> card & 1:
                return False
            else:
                seen[player] |= 1 << card
    for k in range(MAX_LINE + 1):
        card = s.line[k]
        if k >= s.line_size:
            if card:
                return False
        elif card >= 2 * NUM_SPECIES or seen[owner_of(card)] >> species_of(card) & 1:
            return False
        else:
            seen[owner_of(card)] |= 1 << species_of(card)
    while padding < <const uint8_t *>(s + 1):
        if padding[0]:
            return False
        padding += 1
    return True


cdef inline Line packed_line(const BeastyState *s) noexcept nogil:
    cdef Line line
    cdef int place
    line.cards = line.members = line.size = 0
    for place in range(s.line_size):
        append(&line, species_of(s.line[place]) | owner_of(s.line[place]) << 4)
    return line


cdef int legal_actions(const BeastyState *s, int16_t *actions) noexcept nogil:
    """Fills the ids of the legal actions in increasing order. Returns their number, 0 when the game is over."""
    cdef int hand = s.hand[s.to_move], present = 0, place
    if s.ply >= NUM_PLIES:
        return 0
    if hand >> CHAMELEON & 1:
        for place in range(s.line_size):
            present |= 1 << species_of(s.line[place])
    return list_actions(hand, s.line_size, present, actions)


cdef void resolve_turn(BeastyState *s, int action) noexcept nogil:
    """Plays phases 1 to 4: card, its action, recurring actions, five-animal check. The action must be legal."""
    cdef const ActionParts *parts = &ACTION_PARTS[action]
    cdef Line line = packed_line(s)
    cdef int card = parts.card | s.to_move << 4, place
    cdef uint32_t before = line.members | <uint32_t>1 << card
    cdef uint32_t entered = play(&line, card, parts.acts_as, parts.choice)
    cdef uint32_t gone = before & ~(line.members | entered)
    s.hand[s.to_move] &= <uint16_t>~(1 << parts.card)
    s.bar[0] |= <uint16_t>entered
    s.bar[1] |= <uint16_t>(entered >> 16)
    s.thatsit[0] |= <uint16_t>gone
    s.thatsit[1] |= <uint16_t>(gone >> 16)
    s.line_size = <uint8_t>line.size
    for place in range(MAX_LINE):
        card = <int>line.cards & 31
        line.cards >>= 8
        s.line[place] = <uint8_t>(card - 4 if card > 15 else card)


cdef void end_turn(BeastyState *s) noexcept nogil:
    """Plays phase 5: the mover draws a card. Then the other player is to move."""
    cdef int player = s.to_move, top
    if s.deck_size[player]:
        s.deck_size[player] -= 1
        top = s.deck_size[player]
        s.hand[player] |= <uint16_t>(1 << s.deck[player][top])
        s.deck[player][top] = 0
    s.to_move = <uint8_t>(1 - player)
    s.ply += 1


cdef bint is_terminal(const BeastyState *s) noexcept nogil:
    return s.ply >= NUM_PLIES or s.hand[s.to_move] == 0


cdef int outcome(const BeastyState *s, int player, int scoring) noexcept nogil:
    """Returns -1, 0 or 1 for `player`, as if the game ended here."""
    cdef int own = s.bar[player], other = s.bar[1 - player], lead
    if scoring == SCORING_POINTS:
        lead = <int>MASK_POINTS[own] - MASK_POINTS[other]
    else:
        lead = <int>MASK_COUNT[own] - MASK_COUNT[other]
        if lead == 0:
            lead = <int>MASK_STRENGTH[other] - MASK_STRENGTH[own]
    return (lead > 0) - (lead < 0)


cdef void scores(const BeastyState *s, int scoring, int32_t *out) noexcept nogil:
    cdef int player
    for player in range(2):
        out[player] = MASK_POINTS[s.bar[player]] if scoring == SCORING_POINTS else MASK_COUNT[s.bar[player]]


cdef int shuffled(int cards, Stream *stream, uint8_t *out) noexcept nogil:
    """Fills `out` with the set's species in random order. Returns their number.

    The shuffle starts from the sorted set, so that its result does not depend on where the hidden cards really are.
    """
    cdef int species, n = 0, i, j
    cdef uint8_t swapped
    for species in range(NUM_SPECIES):
        if cards >> species & 1:
            out[n] = <uint8_t>species
            n += 1
    for i in range(n - 1):
        j = i + <int>next_below(stream, n - i)
        swapped = out[i]
        out[i] = out[j]
        out[j] = swapped
    return n


cdef void deal(BeastyState *s, Stream *stream, int first_player, int scoring) noexcept nogil:
    """Deals each player's twelve animals at random: four into the hand, eight into the deck."""
    cdef uint8_t cards[12]
    cdef int player, i
    memset(s, 0, sizeof(BeastyState))
    for player in range(2):
        shuffled((1 << NUM_SPECIES) - 1, stream, cards)
        for i in range(MAX_HAND):
            s.hand[player] |= <uint16_t>(1 << cards[i])
        for i in range(MAX_DECK):
            s.deck[player][i] = cards[MAX_HAND + i]
        s.deck_size[player] = MAX_DECK
    s.to_move = <uint8_t>first_player
    s.scoring = <uint8_t>scoring


cdef int deck_cards(const BeastyState *s, int player) noexcept nogil:
    """Returns the set of the species in a player's deck."""
    cdef int cards = 0, k
    for k in range(s.deck_size[player]):
        cards |= 1 << s.deck[player][k]
    return cards


cdef void determinize(BeastyState *s, Stream *stream) noexcept nogil:
    """Resamples uniformly what the player to move cannot see: the opponent's hand, and the order of both decks."""
    cdef int mover = s.to_move, other = 1 - mover, n, k, in_hand = MASK_COUNT[s.hand[1 - s.to_move]]
    cdef uint8_t cards[12]
    n = shuffled(deck_cards(s, mover), stream, cards)
    for k in range(n):
        s.deck[mover][k] = cards[k]
    if s.deck_size[other] == 0:
        return
    n = shuffled(s.hand[other] | deck_cards(s, other), stream, cards)
    s.hand[other] = 0
    for k in range(in_hand):
        s.hand[other] |= <uint16_t>(1 << cards[k])
    for k in range(n - in_hand):
        s.deck[other][k] = cards[in_hand + k]
