"""Registers Beasty Bar as a `Game`: observation, notation, and the C functions of rules, endgame and opponents."""
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint64_t
from libc.string cimport memset

from sim_core.beasty_bar.endgame cimport is_solvable, solve, solve_actions
from sim_core.beasty_bar.hands cimport MAX_HANDS, deal_hand, hand_likelihoods, hidden_hands, next_hands
from sim_core.game cimport Game, register_game
from sim_core.beasty_bar.opponents cimport opponent_action, opponent_policy, plays_one_rule
from sim_core.rng cimport Stream
from sim_core.beasty_bar.rules cimport (
    BeastyState, MASK_POINTS, MAX_DECK, MAX_HAND, MAX_LEGAL, MAX_LINE, NUM_ACTIONS, NUM_PLIES, NUM_SPECIES,
    SCORING_ANIMALS, SCORING_POINTS, deal, determinize, end_turn, is_terminal, is_valid, legal_actions, outcome,
    owner_of, resolve_turn, scores, species_of,
)

from sim_core.beasty_bar import notation
from sim_core.beasty_bar.opponents import OPPONENTS
from sim_core.beasty_bar.rules import ACTIONS, LETTERS

# What the player to move may know, in the order of the observation. "own" is the mover, "other" the opponent. A set of
# animals is twelve numbers, 0 or 1, strongest first.
OBSERVATION_LAYOUT = (
    *[(f"line place {place}: own, then other", 2 * 12) for place in range(4)],
    ("own hand", 12),
    ("own deck, as a set", 12),
    ("other's unplayed animals, hand and deck, as a set", 12),
    ("own bar", 12),
    ("other's bar", 12),
    ("own points / 36", 1),
    ("other's points / 36", 1),
    ("own lead / 12", 1),
    ("own deck size / 8", 1),
    ("other's hand size / 4", 1),
    ("other's deck size / 8", 1),
    ("ply, one-hot", 24),
)
cdef enum:
    OBSERVATION_SIZE = 4 * 24 + 5 * 12 + 6 + 24


cdef inline float *write_set(float *out, int mask) noexcept nogil:
    cdef int k
    for k in range(NUM_SPECIES):
        out[k] = mask >> k & 1
    return out + NUM_SPECIES


cdef void observe(const BeastyState *s, float *out) noexcept nogil:
    cdef int mover = s.to_move, other = 1 - s.to_move, place, k, own_deck = 0, unplayed = s.hand[1 - s.to_move]
    cdef int points = MASK_POINTS[s.bar[mover]], other_points = MASK_POINTS[s.bar[other]], in_hand = 0
    memset(out, 0, OBSERVATION_SIZE * sizeof(float))
    for k in range(NUM_SPECIES):
        in_hand += s.hand[other] >> k & 1
    for place in range(min(s.line_size, MAX_LINE)):
        k = species_of(s.line[place]) + (0 if owner_of(s.line[place]) == mover else NUM_SPECIES)
        out[place * 2 * NUM_SPECIES + k] = 1.0
    out += MAX_LINE * 2 * NUM_SPECIES
    for k in range(s.deck_size[mover]):
        own_deck |= 1 << s.deck[mover][k]
    for k in range(s.deck_size[other]):
        unplayed |= 1 << s.deck[other][k]
    out = write_set(out, s.hand[mover])
    out = write_set(out, own_deck)
    out = write_set(out, unplayed)
    out = write_set(out, s.bar[mover])
    out = write_set(out, s.bar[other])
    out[0] = points / 36.0
    out[1] = other_points / 36.0
    out[2] = (points - other_points) / 12.0
    out[3] = s.deck_size[mover] / <float>MAX_DECK
    out[4] = in_hand / <float>MAX_HAND
    out[5] = s.deck_size[other] / <float>MAX_DECK
    if s.ply < NUM_PLIES:
        out[6 + s.ply] = 1.0


cdef void hidden_hand(const BeastyState *s, int8_t *answers) noexcept nogil:
    """Fills, for each species, whether the opponent has it in hand (1) or in the deck (0).

    -1: it is played, or the deck is empty, because the mover then knows the hand.
    """
    cdef int other = 1 - s.to_move, k
    for k in range(NUM_SPECIES):
        answers[k] = 1 if s.deck_size[other] and s.hand[other] >> k & 1 else -1
    for k in range(s.deck_size[other]):
        answers[s.deck[other][k]] = 0


# The functions that `Game` asks for: those of the rules, over an opaque state.
cdef bint is_valid_points_(const void *s) noexcept nogil:
    return is_valid(<const BeastyState *>s, SCORING_POINTS)

cdef bint is_valid_animals_(const void *s) noexcept nogil:
    return is_valid(<const BeastyState *>s, SCORING_ANIMALS)

cdef void initial_points_(void *s, Stream *stream, int first_player) noexcept nogil:
    deal(<BeastyState *>s, stream, first_player, SCORING_POINTS)

cdef void initial_animals_(void *s, Stream *stream, int first_player) noexcept nogil:
    deal(<BeastyState *>s, stream, first_player, SCORING_ANIMALS)

cdef int legal_actions_(const void *s, int16_t *actions) noexcept nogil:
    return legal_actions(<const BeastyState *>s, actions)

cdef void step_(void *s, int action) noexcept nogil:
    resolve_turn(<BeastyState *>s, action)
    end_turn(<BeastyState *>s)

cdef int to_move_(const void *s) noexcept nogil:
    return (<const BeastyState *>s).to_move

cdef int ply_(const void *s) noexcept nogil:
    return (<const BeastyState *>s).ply

cdef bint is_terminal_(const void *s) noexcept nogil:
    return is_terminal(<const BeastyState *>s)

cdef int outcome_(const void *s, int player) noexcept nogil:
    return outcome(<const BeastyState *>s, player, (<const BeastyState *>s).scoring)

cdef void scores_(const void *s, int32_t *out) noexcept nogil:
    scores(<const BeastyState *>s, (<const BeastyState *>s).scoring, out)

cdef void observe_(const void *s, float *out) noexcept nogil:
    observe(<const BeastyState *>s, out)

cdef uint64_t private_key_(const void *s) noexcept nogil:
    return (<const BeastyState *>s).hand[(<const BeastyState *>s).to_move]

cdef void hidden_targets_(const void *s, int8_t *answers) noexcept nogil:
    hidden_hand(<const BeastyState *>s, answers)

cdef void determinize_(void *s, Stream *stream) noexcept nogil:
    determinize(<BeastyState *>s, stream)

cdef bint is_solvable_(const void *s) noexcept nogil:
    return is_solvable(<const BeastyState *>s)

cdef int solve_(const void *s, int alpha, int beta, int16_t *best) noexcept nogil:
    return solve(<const BeastyState *>s, alpha, beta, best)

cdef int solve_actions_(const void *s, const int16_t *actions, int count, uint8_t *optimal) noexcept nogil:
    return solve_actions(<const BeastyState *>s, actions, count, optimal)

cdef int opponent_action_(int opponent, const void *s, Stream *stream) noexcept nogil:
    return opponent_action(opponent, <const BeastyState *>s, stream)

cdef void opponent_policy_(int opponent, const void *s, float *probabilities) noexcept nogil:
    opponent_policy(opponent, <const BeastyState *>s, probabilities)

cdef int hidden_hands_(const void *s, int player, uint64_t *hands) noexcept nogil:
    return hidden_hands(<const BeastyState *>s, player, hands)

cdef void hand_likelihoods_(
    int opponent, const void *s, int action, const uint64_t *hands, int count, double *likelihoods
) noexcept nogil:
    hand_likelihoods(opponent, <const BeastyState *>s, action, hands, count, likelihoods)

cdef int next_hands_(const void *s, int action, uint64_t hand, uint64_t *hands) noexcept nogil:
    return next_hands(<const BeastyState *>s, action, hand, hands)

cdef void deal_hand_(void *s, int player, uint64_t hand, Stream *stream) noexcept nogil:
    deal_hand(<BeastyState *>s, player, hand, stream)

cdef int response_plies_(int opponent) noexcept nogil:
    # all eight turns without a hidden card where the opponent's rule leaves nothing but ties to chance
    return 8 if plays_one_rule(opponent) else 6


cdef Game BEASTY_BAR
BEASTY_BAR.name = b"beasty_bar"
BEASTY_BAR.version = 1
BEASTY_BAR.state_size = sizeof(BeastyState)
BEASTY_BAR.num_actions = NUM_ACTIONS
BEASTY_BAR.max_legal = MAX_LEGAL
BEASTY_BAR.max_plies = NUM_PLIES
BEASTY_BAR.observation_size = OBSERVATION_SIZE
BEASTY_BAR.observation_version = 1
BEASTY_BAR.hidden_size = NUM_SPECIES
BEASTY_BAR.margin_scale = 12
BEASTY_BAR.is_valid = is_valid_points_
BEASTY_BAR.initial = initial_points_
BEASTY_BAR.legal_actions = legal_actions_
BEASTY_BAR.step = step_
BEASTY_BAR.to_move = to_move_
BEASTY_BAR.ply = ply_
BEASTY_BAR.is_terminal = is_terminal_
BEASTY_BAR.outcome = outcome_
BEASTY_BAR.scores = scores_
BEASTY_BAR.observe = observe_
BEASTY_BAR.private_key = private_key_
BEASTY_BAR.hidden_targets = hidden_targets_
BEASTY_BAR.determinize = determinize_
BEASTY_BAR.is_solvable = is_solvable_
BEASTY_BAR.solve = solve_
BEASTY_BAR.solve_actions = solve_actions_
BEASTY_BAR.opponent_action = opponent_action_
BEASTY_BAR.opponent_policy = opponent_policy_
BEASTY_BAR.max_hands = MAX_HANDS
BEASTY_BAR.hidden_hands = hidden_hands_
BEASTY_BAR.hand_likelihoods = hand_likelihoods_
BEASTY_BAR.next_hands = next_hands_
BEASTY_BAR.deal_hand = deal_hand_
BEASTY_BAR.response_plies = response_plies_

cdef Game BEASTY_BAR_ANIMALS = BEASTY_BAR
BEASTY_BAR_ANIMALS.name = b"beasty_bar_animals"
BEASTY_BAR_ANIMALS.margin_scale = 4
BEASTY_BAR_ANIMALS.is_valid = is_valid_animals_
BEASTY_BAR_ANIMALS.initial = initial_animals_


cdef bytes pack(fields, str scoring):
    """Converts a position's fields, checked by `notation.parse_fields`, to the engine's state."""
    cdef BeastyState s
    memset(&s, 0, sizeof(BeastyState))
    for place, letter in enumerate(fields.queue):
        s.line[place] = LETTERS.index(letter.upper()) + (NUM_SPECIES if letter.islower() else 0)
    s.line_size = <uint8_t>len(fields.queue)
    for player in range(2):
        s.hand[player] = _mask(fields.hands[player])
        s.bar[player] = _mask([k for k in fields.bar if k.islower() == bool(player)])
        s.thatsit[player] = _mask([k for k in fields.thatsit if k.islower() == bool(player)])
        for place, letter in enumerate(reversed(fields.decks[player])):
            s.deck[player][place] = LETTERS.index(letter.upper())
        s.deck_size[player] = <uint8_t>len(fields.decks[player])
    s.to_move = fields.to_move
    s.ply = fields.ply
    s.scoring = SCORING_POINTS if scoring == "points" else SCORING_ANIMALS
    return (<char *>&s)[:sizeof(BeastyState)]


def _mask(letters) -> int:
    return sum([1 << LETTERS.index(letter.upper()) for letter in letters])


cdef const BeastyState *checked(bytes state) except NULL:
    """Returns the bytes as a state of either scoring, or raises ValueError."""
    if len(state) != sizeof(BeastyState):
        raise ValueError(f"state: {len(state)} bytes given, expected {sizeof(BeastyState)}")
    cdef const BeastyState *s = <const BeastyState *><const char *>state
    if not (is_valid(s, SCORING_POINTS) or is_valid(s, SCORING_ANIMALS)):
        raise ValueError("state: these bytes are no position of beasty_bar")
    return s


def unpack(bytes state not None):
    """Converts the engine's state to a position's fields."""
    cdef const BeastyState *s = checked(state)
    faces = (LETTERS, LETTERS.lower())

    def cards(mask, player):
        return "".join([faces[player][k] for k in range(12) if mask >> k & 1])

    return notation.Fields(
        queue="".join([faces[owner_of(s.line[k])][species_of(s.line[k])] for k in range(s.line_size)]),
        bar=cards(s.bar[0], 0) + cards(s.bar[1], 1),
        thatsit=cards(s.thatsit[0], 0) + cards(s.thatsit[1], 1),
        hands=(cards(s.hand[0], 0), cards(s.hand[1], 1)),
        decks=tuple([
            "".join([faces[p][s.deck[p][k]] for k in range(s.deck_size[p] - 1, -1, -1)]) for p in range(2)
        ]),
        to_move=s.to_move,
        ply=s.ply,
    )


def score_as(bytes state not None, str scoring) -> tuple:
    """Scores a position by either scoring, also by the one that its game does not use.

    Args:
        state: Packed state.
        scoring: "points" or "animals".

    Returns:
        The scores of players 0 and 1, and the winner. None: a draw.

    Raises:
        ValueError: There is no such scoring, or the bytes are no position.
    """
    if scoring not in ("points", "animals"):
        raise ValueError(f"scoring: {scoring!r} given, expected 'points' or 'animals'")
    cdef const BeastyState *s = checked(state)
    cdef int kind = SCORING_POINTS if scoring == "points" else SCORING_ANIMALS
    cdef int32_t totals[2]
    scores(s, kind, totals)
    result = outcome(s, 0, kind)
    return (totals[0], totals[1]), (None if result == 0 else 0 if result > 0 else 1)


for _game, _scoring in ((0, "points"), (1, "animals")):
    register_game(
        &BEASTY_BAR_ANIMALS if _game else &BEASTY_BAR, ACTIONS, OPPONENTS, OBSERVATION_LAYOUT,
        lambda text, scoring=_scoring: pack(notation.parse_fields(text), scoring),
        lambda state: notation.format_fields(unpack(state)),
    )
