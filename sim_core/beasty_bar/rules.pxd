"""Declares Beasty Bar's state and the C functions of its rules (bodies in rules.pyx, words in docs/rules.md)."""
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t

from sim_core.rng cimport Stream


cdef enum:
    # Species in order of strength: strength is 12 - species.
    LION = 0
    HIPPO = 1
    CROCODILE = 2
    SNAKE = 3
    GIRAFFE = 4
    ZEBRA = 5
    SEAL = 6
    CHAMELEON = 7
    MONKEY = 8
    KANGAROO = 9
    PARROT = 10
    SKUNK = 11
    NUM_SPECIES = 12
    NO_SPECIES = 15
    RECURRING = (1 << HIPPO) | (1 << CROCODILE) | (1 << GIRAFFE)    # a set of species


cdef enum:
    NUM_ACTIONS = 33
    MAX_LEGAL = 15
    NUM_PLIES = 24
    MAX_LINE = 4            # most animals in line at the start of a turn
    MAX_HAND = 4
    MAX_DECK = 8


cdef enum:
    SCORING_POINTS = 0
    SCORING_ANIMALS = 1


cdef struct BeastyState:
    # Sets of cards are bit masks over species. A card in line is owner * 12 + species.
    uint16_t hand[2]        # [player]
    uint16_t bar[2]         # [player], animals that entered Heaven's Gate
    uint16_t thatsit[2]     # [player], animals that were thrown out
    uint8_t deck[2][8]      # species, the top card last; unused places are 0
    uint8_t deck_size[2]    # [player]
    uint8_t line[5]         # from Heaven's Gate (0) to the bounce; unused places are 0
    uint8_t line_size       # animals in line
    uint8_t to_move         # player, 0 or 1
    uint8_t ply             # turns taken
    uint8_t scoring         # SCORING_POINTS or SCORING_ANIMALS


cdef struct ActionParts:
    int card                # species of the card that leaves the hand
    int acts_as             # species whose action it performs; NO_SPECIES: none
    int choice              # kangaroo: animals jumped over; parrot: place of the target, -1: none


cdef ActionParts ACTION_PARTS[33]
cdef uint8_t POINTS[12]
cdef uint8_t MASK_POINTS[4096]
cdef uint8_t MASK_COUNT[4096]
cdef uint8_t MASK_STRENGTH[4096]


cdef inline int species_of(int card) noexcept nogil:
    return card - NUM_SPECIES if card >= NUM_SPECIES else card


cdef inline int owner_of(int card) noexcept nogil:
    return card >= NUM_SPECIES


cdef bint is_valid(const BeastyState *s, int scoring) noexcept nogil
cdef void deal(BeastyState *s, Stream *stream, int first_player, int scoring) noexcept nogil
cdef int legal_actions(const BeastyState *s, int16_t *actions) noexcept nogil
cdef void resolve_turn(BeastyState *s, int action) noexcept nogil
cdef void end_turn(BeastyState *s) noexcept nogil
cdef bint is_terminal(const BeastyState *s) noexcept nogil
cdef int outcome(const BeastyState *s, int player, int scoring) noexcept nogil
cdef void scores(const BeastyState *s, int scoring, int32_t *out) noexcept nogil
cdef int shuffled(int cards, Stream *stream, uint8_t *out) noexcept nogil
cdef int deck_cards(const BeastyState *s, int player) noexcept nogil
cdef void determinize(BeastyState *s, Stream *stream) noexcept nogil
