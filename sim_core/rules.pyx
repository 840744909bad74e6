"""The rules of Beasty Bar for two players, once, in C (publisher's rulebook, first edition; docs/rules.md)."""
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t
from libc.string cimport memset

from sim_core.rng cimport Stream, next_below

# One table of the animals: letter, name, points; strength is 12 for the first, one less for each that follows.
SPECIES = (
    ("L", "lion", 2), ("H", "hippo", 2), ("C", "crocodile", 3), ("S", "snake", 2),
    ("G", "giraffe", 3), ("Z", "zebra", 4), ("E", "seal", 2), ("X", "chameleon", 3),
    ("M", "monkey", 3), ("K", "kangaroo", 4), ("P", "parrot", 4), ("U", "skunk", 4),
)
LETTERS = "".join([letter for letter, _, _ in SPECIES])

# The fixed table of actions: the id of an action is its index here (docs/notation.md).
ACTIONS = (
    *"LHCSGZEMU", "K", "K1", "K2", "P", "P0", "P1", "P2", "P3", "X",
    *[f"X={letter}" for letter in "LHCSGZEMU"], "X=K1", "X=K2", "X=P0", "X=P1", "X=P2", "X=P3",
)

cdef enum:
    # Ids at which a species' actions begin; `_fill_tables` asserts them against ACTIONS.
    ID_M = 7
    ID_U = 8
    ID_K = 9
    ID_P = 12
    ID_X = 17
    ID_X_L = 18
    ID_X_M = 25
    ID_X_U = 26
    ID_X_K1 = 27
    ID_X_P0 = 29
    RECURRING = (1 << HIPPO) | (1 << CROCODILE) | (1 << GIRAFFE)


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
        # -1: a parrot on an empty line has no target; a kangaroo there jumps over none
        ACTION_PARTS[k].choice = int(acts[1:]) if len(acts) > 1 else -1 if acts == "P" else 0
    first_ids = {"M": ID_M, "U": ID_U, "K": ID_K, "P": ID_P, "X": ID_X, "X=L": ID_X_L, "X=M": ID_X_M,
                 "X=U": ID_X_U, "X=K1": ID_X_K1, "X=P0": ID_X_P0}
    assert all([ACTIONS[value] == text for text, value in first_ids.items()])


_fill_tables()


cdef bint is_valid(const BeastyState *s, int scoring) noexcept nogil:
    """Whether the bytes are a position that the notation can write, of that scoring, with all unused bytes zero."""
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


cdef int legal_actions(const BeastyState *s, int16_t *actions) noexcept nogil:
    """Fill the ids of the legal actions in increasing order; returns how many. None where the game is over."""
    cdef int hand = s.hand[s.to_move]
    cdef int n = s.line_size
    cdef int count = 0, species, place, imitable = 0
    if s.ply >= NUM_PLIES:
        return 0
    for species in range(CHAMELEON):
        if hand >> species & 1:
            actions[count] = <int16_t>species
            count += 1
    if hand >> MONKEY & 1:
        actions[count] = ID_M
        count += 1
    if hand >> SKUNK & 1:
        actions[count] = ID_U
        count += 1
    if hand >> KANGAROO & 1:
        if n == 0:
            actions[count] = ID_K
            count += 1
        for place in range(min(n, 2)):
            actions[count] = <int16_t>(ID_K + 1 + place)
            count += 1
    if hand >> PARROT & 1:
        if n == 0:
            actions[count] = ID_P
            count += 1
        for place in range(n):
            actions[count] = <int16_t>(ID_P + 1 + place)
            count += 1
    if hand >> CHAMELEON & 1:
        for place in range(n):
            imitable |= 1 << species_of(s.line[place])
        imitable &= ~(1 << CHAMELEON)
        if imitable == 0:
            actions[count] = ID_X
            count += 1
        for species in range(CHAMELEON):
            if imitable >> species & 1:
                actions[count] = <int16_t>(ID_X_L + species)
                count += 1
        if imitable >> MONKEY & 1:
            actions[count] = ID_X_M
            count += 1
        if imitable >> SKUNK & 1:
            actions[count] = ID_X_U
            count += 1
        if imitable >> KANGAROO & 1:
            for place in range(min(n, 2)):
                actions[count] = <int16_t>(ID_X_K1 + place)
                count += 1
        if imitable >> PARROT & 1:
            for place in range(n):
                actions[count] = <int16_t>(ID_X_P0 + place)
                count += 1
    return count


cdef inline void discard(BeastyState *s, int place) noexcept nogil:
    """Send the animal at `place` to THAT'S IT; those behind it move up."""
    cdef int card = s.line[place]
    cdef int k
    s.thatsit[owner_of(card)] |= <uint16_t>(1 << species_of(card))
    for k in range(place, s.line_size - 1):
        s.line[k] = s.line[k + 1]
    s.line_size -= 1
    s.line[s.line_size] = 0


cdef inline void move_forward(BeastyState *s, int place, int target) noexcept nogil:
    """Move the animal at `place` to `target`, nearer the gate; those it passes move back one."""
    cdef uint8_t card = s.line[place]
    while place > target:
        s.line[place] = s.line[place - 1]
        place -= 1
    s.line[target] = card


cdef inline void act_hippo(BeastyState *s, int place) noexcept nogil:
    cdef int target = place, ahead
    while target > 0:
        ahead = species_of(s.line[target - 1])
        if ahead <= HIPPO or ahead == ZEBRA:
            break
        target -= 1
    move_forward(s, place, target)


cdef inline void act_crocodile(BeastyState *s, int place) noexcept nogil:
    cdef int ahead
    while place > 0:
        ahead = species_of(s.line[place - 1])
        if ahead <= CROCODILE or ahead == ZEBRA:
            break
        place -= 1
        discard(s, place)


cdef inline void act_giraffe(BeastyState *s, int place) noexcept nogil:
    if place > 0 and species_of(s.line[place - 1]) > GIRAFFE:
        move_forward(s, place, place - 1)


cdef inline void act_lion(BeastyState *s) noexcept nogil:
    """The animal at the end acts as a lion."""
    cdef int last = s.line_size - 1, place
    for place in range(last):
        if species_of(s.line[place]) == LION:
            discard(s, last)
            return
    for place in range(last - 1, -1, -1):
        if species_of(s.line[place]) == MONKEY:
            discard(s, place)
    move_forward(s, s.line_size - 1, 0)


cdef inline void act_snake(BeastyState *s) noexcept nogil:
    """Stable insertion sort by strength; the animal at the end counts as a snake."""
    cdef int last = s.line_size - 1, i, j, key
    # the acting animal is inserted last, so that its own species is asked for only once
    for i in range(1, last + 1):
        key = SNAKE if i == last else species_of(s.line[i])
        j = i
        while j > 0 and species_of(s.line[j - 1]) > key:
            j -= 1
        move_forward(s, i, j)


cdef inline void act_seal(BeastyState *s) noexcept nogil:
    cdef int i = 0, j = s.line_size - 1
    cdef uint8_t card
    while i < j:
        card = s.line[i]
        s.line[i] = s.line[j]
        s.line[j] = card
        i += 1
        j -= 1


cdef inline void act_monkey(BeastyState *s) noexcept nogil:
    """The animal at the end acts as a monkey: with another monkey there, both kinds of bully leave."""
    cdef int last = s.line_size - 1, place, front = 1, monkeys = 0, species
    for place in range(last):
        monkeys += species_of(s.line[place]) == MONKEY
    if monkeys == 0:
        return
    for place in range(last - 1, -1, -1):
        species = species_of(s.line[place])
        if species == HIPPO or species == CROCODILE:
            discard(s, place)
    move_forward(s, s.line_size - 1, 0)
    # each monkey met from the gate goes right behind the new one, which reverses their order
    for place in range(1, s.line_size):
        if species_of(s.line[place]) == MONKEY:
            move_forward(s, place, front)


cdef inline void act_skunk(BeastyState *s) noexcept nogil:
    """The animal at the end acts as a skunk: the two strongest species leave, skunks and the actor never."""
    cdef int last = s.line_size - 1, place, present = 0, strongest
    for place in range(last):
        present |= 1 << species_of(s.line[place])
    present &= ~(1 << SKUNK)
    strongest = present & -present
    present ^= strongest
    strongest |= present & -present
    for place in range(last - 1, -1, -1):
        if strongest >> species_of(s.line[place]) & 1:
            discard(s, place)


cdef inline void recurring_actions(BeastyState *s, int played) noexcept nogil:
    """Hippos, crocodiles and giraffes act from the gate to the bounce, in the order they stood at the start."""
    cdef uint8_t order[5]
    cdef int n = s.line_size, k, place, species
    for k in range(n):
        order[k] = s.line[k]
    for k in range(n):
        species = species_of(order[k])
        if not (RECURRING >> species & 1) or (species == GIRAFFE and order[k] == played):
            continue
        place = 0
        while place < s.line_size and s.line[place] != order[k]:
            place += 1
        if place == s.line_size:
            continue    # removed before its time
        if species == HIPPO:
            act_hippo(s, place)
        elif species == CROCODILE:
            act_crocodile(s, place)
        else:
            act_giraffe(s, place)


cdef void resolve_turn(BeastyState *s, int action) noexcept nogil:
    """Phases 1 to 4: play, its action, recurring actions, five-animal check. The action must be legal."""
    cdef ActionParts parts = ACTION_PARTS[action]
    cdef int player = s.to_move, last = s.line_size, card
    card = player * NUM_SPECIES + parts.card
    s.hand[player] &= <uint16_t>~(1 << parts.card)
    s.line[last] = <uint8_t>card
    s.line_size += 1
    if parts.acts_as == LION:
        act_lion(s)
    elif parts.acts_as == HIPPO:
        act_hippo(s, last)
    elif parts.acts_as == CROCODILE:
        act_crocodile(s, last)
    elif parts.acts_as == SNAKE:
        act_snake(s)
    elif parts.acts_as == GIRAFFE:
        act_giraffe(s, last)
    elif parts.acts_as == SEAL:
        act_seal(s)
    elif parts.acts_as == MONKEY:
        act_monkey(s)
    elif parts.acts_as == KANGAROO:
        move_forward(s, last, last - parts.choice)
    elif parts.acts_as == PARROT:
        if parts.choice >= 0:
            discard(s, parts.choice)
    elif parts.acts_as == SKUNK:
        act_skunk(s)
    recurring_actions(s, card)
    if s.line_size == 5:
        s.bar[owner_of(s.line[0])] |= <uint16_t>(1 << species_of(s.line[0]))
        s.bar[owner_of(s.line[1])] |= <uint16_t>(1 << species_of(s.line[1]))
        s.thatsit[owner_of(s.line[4])] |= <uint16_t>(1 << species_of(s.line[4]))
        s.line[0] = s.line[2]
        s.line[1] = s.line[3]
        s.line[2] = s.line[3] = s.line[4] = 0
        s.line_size = 2


cdef void end_turn(BeastyState *s) noexcept nogil:
    """Phase 5: the mover draws; then the other player is to move."""
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
    """-1, 0 or 1 for `player`, as if the game ended here."""
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


cdef inline int shuffled(int cards, Stream *stream, uint8_t *out) noexcept nogil:
    """Fill `out` with the set's species in random order; returns how many.

    It starts from the sorted set, so that the result does not depend on where the hidden cards really lie.
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
    """Shuffle each player's twelve animals: four into the hand, eight into the deck."""
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


cdef inline int deck_cards(const BeastyState *s, int player) noexcept nogil:
    cdef int cards = 0, k
    for k in range(s.deck_size[player]):
        cards |= 1 << s.deck[player][k]
    return cards


cdef void determinize(BeastyState *s, Stream *stream) noexcept nogil:
    """Resample, uniformly, what the player to move cannot see: the other's hand and both decks' order."""
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
