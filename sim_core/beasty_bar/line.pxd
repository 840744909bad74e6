"""A turn on a packed line: phases 1 to 4 and the legal actions, inline for `rules` and `endgame`.

Here, and only here, stand the rules of the animals (publisher's rulebook, first edition; docs/rules.md). A card is
species | owner << 4, so that a set of both players' cards is 32 bits: player 0's in the low half, 1's in the high.
"""
from libc.stdint cimport int16_t, uint32_t, uint64_t

from sim_core.beasty_bar.rules cimport (
    CHAMELEON, CROCODILE, GIRAFFE, HIPPO, KANGAROO, LION, MONKEY, PARROT, RECURRING, SEAL, SKUNK, SNAKE, ZEBRA,
)


cdef enum:
    # Ids at which a species' actions begin; rules.pyx asserts them against ACTIONS.
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


cdef struct Line:
    uint64_t cards      # one byte per place, Heaven's Gate (0) the lowest; unused places are 0
    uint32_t members    # the same cards as a set
    int size            # at most 5


cdef inline int species_at(const Line *line, int place) noexcept nogil:
    return <int>(line.cards >> 8 * place) & 15


cdef inline uint32_t species_in(uint32_t cards) noexcept nogil:
    """Returns the species in a set of both players' cards."""
    return (cards | cards >> 16) & 0xFFF


cdef inline void append(Line *line, int card) noexcept nogil:
    line.cards |= <uint64_t>card << 8 * line.size
    line.members |= <uint32_t>1 << card
    line.size += 1


cdef inline void discard(Line *line, int place) noexcept nogil:
    """Removes the animal at `place`. Those behind it move up."""
    cdef uint64_t ahead = (<uint64_t>1 << 8 * place) - 1
    line.members &= ~(<uint32_t>1 << ((line.cards >> 8 * place) & 31))
    line.cards = (line.cards & ahead) | ((line.cards >> 8) & ~ahead)
    line.size -= 1


cdef inline void move_forward(Line *line, int place, int target) noexcept nogil:
    """Moves the animal at `place` to `target`, nearer the gate. Those it passes move back by one."""
    cdef uint64_t ahead = (<uint64_t>1 << 8 * target) - 1
    cdef uint64_t moving = ((<uint64_t>1 << 8 * (place + 1)) - 1) & ~ahead
    cdef uint64_t card = (line.cards >> 8 * place) & 31
    line.cards = (line.cards & ~moving) | (((line.cards & moving) << 8) & moving) | card << 8 * target


cdef inline void act_hippo(Line *line, int place) noexcept nogil:
    cdef int target = place, ahead
    while target > 0:
        ahead = species_at(line, target - 1)
        if ahead <= HIPPO or ahead == ZEBRA:
            break
        target -= 1
    move_forward(line, place, target)


cdef inline void act_crocodile(Line *line, int place) noexcept nogil:
    cdef int ahead
    while place > 0:
        ahead = species_at(line, place - 1)
        if ahead <= CROCODILE or ahead == ZEBRA:
            break
        place -= 1
        discard(line, place)


cdef inline void act_giraffe(Line *line, int place) noexcept nogil:
    if place > 0 and species_at(line, place - 1) > GIRAFFE:
        move_forward(line, place, place - 1)


cdef inline void discard_species(Line *line, uint32_t species) noexcept nogil:
    """Removes all animals of a set of species, except the animal at the end."""
    cdef int place
    for place in range(line.size - 2, -1, -1):
        if species >> species_at(line, place) & 1:
            discard(line, place)


cdef inline void act_lion(Line *line, uint32_t present) noexcept nogil:
    """Lets the animal at the end act as a lion. `present` are the species ahead of it."""
    if present >> LION & 1:
        discard(line, line.size - 1)
        return
    if present >> MONKEY & 1:
        discard_species(line, 1 << MONKEY)
    move_forward(line, line.size - 1, 0)


cdef inline void act_snake(Line *line) noexcept nogil:
    """Lets the animal at the end act as a snake: a stable insertion sort by strength, in which it counts as a snake."""
    cdef int last = line.size - 1, i, j, key
    # the acting animal is inserted last, so that its species is read only once
    for i in range(1, last + 1):
        key = SNAKE if i == last else species_at(line, i)
        j = i
        while j > 0 and species_at(line, j - 1) > key:
            j -= 1
        move_forward(line, i, j)


cdef inline void act_seal(Line *line) noexcept nogil:
    cdef uint64_t turned = 0, left = line.cards
    cdef int k
    for k in range(line.size):
        turned = turned << 8 | (left & 31)
        left >>= 8
    line.cards = turned


cdef inline void act_monkey(Line *line, uint32_t present) noexcept nogil:
    """Lets the animal at the end act as a monkey: if another monkey is there, both kinds of bully leave."""
    cdef int place
    if not present >> MONKEY & 1:
        return
    discard_species(line, (1 << HIPPO) | (1 << CROCODILE))
    move_forward(line, line.size - 1, 0)
    # each monkey met from the gate goes right behind the new one, which reverses their order
    for place in range(1, line.size):
        if species_at(line, place) == MONKEY:
            move_forward(line, place, 1)


cdef inline void act_skunk(Line *line, uint32_t present) noexcept nogil:
    """Lets the animal at the end act as a skunk: the two strongest species leave. Skunks and the actor never do."""
    cdef uint32_t strongest
    present &= ~(<uint32_t>1 << SKUNK)
    strongest = present & (~present + 1)
    present ^= strongest
    strongest |= present & (~present + 1)
    discard_species(line, strongest)


cdef inline void recurring_actions(Line *line, int played) noexcept nogil:
    """Lets hippos, crocodiles and giraffes act from the gate to the bounce, in their order at the start."""
    cdef uint32_t acting = line.members & (RECURRING | <uint32_t>RECURRING << 16)
    cdef uint64_t order = line.cards, left
    cdef int card, species, place
    if played & 15 == GIRAFFE:
        acting &= ~(<uint32_t>1 << played)
    while acting:
        card = <int>order & 31
        order >>= 8
        if not acting >> card & 1:
            continue
        acting ^= <uint32_t>1 << card
        if not line.members >> card & 1:
            continue    # removed before it could act
        place = 0
        left = line.cards
        while <int>left & 31 != card:
            left >>= 8
            place += 1
        species = card & 15
        if species == HIPPO:
            act_hippo(line, place)
        elif species == CROCODILE:
            act_crocodile(line, place)
        else:
            act_giraffe(line, place)


cdef inline void act(Line *line, int acts_as, int choice, uint32_t present) noexcept nogil:
    """Plays phase 2: the animal at the end acts. `present` are the species ahead of it."""
    cdef int last = line.size - 1
    if acts_as == LION:
        act_lion(line, present)
    elif acts_as == HIPPO:
        act_hippo(line, last)
    elif acts_as == CROCODILE:
        act_crocodile(line, last)
    elif acts_as == SNAKE:
        act_snake(line)
    elif acts_as == GIRAFFE:
        act_giraffe(line, last)
    elif acts_as == SEAL:
        act_seal(line)
    elif acts_as == MONKEY:
        act_monkey(line, present)
    elif acts_as == KANGAROO:
        move_forward(line, last, last - choice)
    elif acts_as == PARROT:
        if choice >= 0:
            discard(line, choice)
    elif acts_as == SKUNK:
        act_skunk(line, present)


cdef inline void arrange(Line *line, int card, int acts_as, int choice) noexcept nogil:
    """Plays phases 1 to 3: card, its action, recurring actions."""
    cdef uint32_t present = species_in(line.members)
    append(line, card)
    act(line, acts_as, choice, present)
    recurring_actions(line, card)


cdef inline uint32_t play(Line *line, int card, int acts_as, int choice) noexcept nogil:
    """Plays phases 1 to 4, so up to the five-animal check. Returns the cards that enter the bar."""
    cdef uint32_t entered
    arrange(line, card, acts_as, choice)
    if line.size < 5:
        return 0
    entered = <uint32_t>1 << (line.cards & 31) | <uint32_t>1 << (line.cards >> 8 & 31)
    line.members &= ~(entered | <uint32_t>1 << (line.cards >> 32 & 31))
    line.cards = line.cards >> 16 & 0xFFFF
    line.size = 2
    return entered


cdef inline int list_actions(int hand, int n, int present, int16_t *actions) noexcept nogil:
    """Fills the ids of the legal actions in increasing order. Returns their number.

    `n` animals of the species `present` wait; `present` is looked at only with a chameleon in the hand.
    """
    cdef int count = 0, species, place, imitable
    # without branches, because what is written beyond the count is overwritten
    for species in range(CHAMELEON):
        actions[count] = <int16_t>species
        count += hand >> species & 1
    actions[count] = ID_M
    count += hand >> MONKEY & 1
    actions[count] = ID_U
    count += hand >> SKUNK & 1
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
        imitable = present & ~(1 << CHAMELEON)
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
