"""Declares the interface that every game fills: C functions over an opaque state that memcpy can copy.

Batches, search and replay know games only through it. A new game is one more file that fills a `Game`.
"""
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint64_t

from sim_core.rng cimport Stream


cdef enum:
    GAME_INTERFACE = 2          # raised whenever a field of `Game` is added, moved, or means something else


cdef enum:
    MAX_HANDS = 1024            # that any game may have


cdef struct Game:
    const char *name
    int version             # raised whenever the rules or the meaning of an action id change
    int state_size          # bytes of a state, at most 1,024; a state holds no pointer
    int num_actions         # at most 256
    int max_legal           # the most legal actions any position has
    int max_plies           # the most turns any game has
    int observation_size    # float32 numbers in an observation
    int observation_version # raised when the layout of the observation changes
    int hidden_size         # number of questions that `hidden_targets` answers; 0: none
    int margin_scale        # usual size of the scores' difference, which networks learn in this unit; 0 stands for 1
    # Whether bytes from outside are a state. All other functions trust a state, and may index by what it holds.
    bint (*is_valid)(const void *state) noexcept nogil
    void (*initial)(void *state, Stream *stream, int first_player) noexcept nogil
    int (*legal_actions)(const void *state, int16_t *actions) noexcept nogil   # returns how many
    void (*step)(void *state, int action) noexcept nogil                       # the action must be legal
    int (*to_move)(const void *state) noexcept nogil
    int (*ply)(const void *state) noexcept nogil
    bint (*is_terminal)(const void *state) noexcept nogil
    int (*outcome)(const void *state, int player) noexcept nogil               # of the position as an end: -1, 0, 1
    void (*scores)(const void *state, int32_t *scores) noexcept nogil          # two numbers, one a player
    void (*observe)(const void *state, float *observation) noexcept nogil      # what the player to move may know
    # What only the player to move knows, as a number, e.g. the own hand. NULL: everything is public.
    uint64_t (*private_key)(const void *state) noexcept nogil
    # What the mover cannot see, so that networks can learn to guess it: an answer, 0 or 1, to each of `hidden_size`
    # questions. -1: the mover knows, or the question does not arise. NULL: nothing is hidden.
    void (*hidden_targets)(const void *state, int8_t *answers) noexcept nogil
    void (*determinize)(void *state, Stream *stream) noexcept nogil            # resample what the mover cannot see
    bint (*is_solvable)(const void *state) noexcept nogil                      # `solve` may be called
    # Exact value for the player to move within (alpha, beta), fail-soft. `best` gets a best action unless it is NULL.
    int (*solve)(const void *state, int alpha, int beta, int16_t *best) noexcept nogil
    # The position's value, and for each legal action whether it keeps that value. NULL: callers use `optimal_actions`
    # (tree_search/solved_roots.pxd), which works without it.
    int (*solve_actions)(const void *state, const int16_t *actions, int count, uint8_t *optimal) noexcept nogil
    int (*opponent_action)(int opponent, const void *state, Stream *stream) noexcept nogil
    # How likely `opponent_action` is to return each of the `num_actions` ids; all are 0 when the game is over. NULL:
    # the game does not say.
    void (*opponent_policy)(int opponent, const void *state, float *probabilities) noexcept nogil
    # What `Beliefs` ask about the other player's hand, all or none of these. A hand is a set of at most 64 bits: bit k
    # is question k of `hidden_targets`. It changes only in its owner's turn. Nothing is read from a state but what both
    # players see, the action that is asked about, and which cards a player has not played yet.
    int max_hands           # the most hands that `hidden_hands` fills, at most 1,024
    # The hands that `player` may hold, in increasing order; returns how many.
    int (*hidden_hands)(const void *state, int player, uint64_t *hands) noexcept nogil
    # How likely the opponent plays this action if it is to move with each of these hands.
    void (*hand_likelihoods)(
        int opponent, const void *state, int action, const uint64_t *hands, int count, double *likelihoods
    ) noexcept nogil
    # The equally likely hands of the player to move after this turn with this hand; returns how many, 0 where the hand
    # cannot play the action.
    int (*next_hands)(const void *state, int action, uint64_t hand, uint64_t *hands) noexcept nogil
    # Gives `player` this hand, and draws everything else that is hidden from the other one anew.
    void (*deal_hand)(void *state, int player, uint64_t hand, Stream *stream) noexcept nogil
    # The most turns before the end from which the best response to an opponent is quickly computed, where nothing is
    # hidden: every reply is tried whose probability is above 0. NULL: never; searches then play on to the end.
    int (*response_plies)(int opponent) noexcept nogil


cdef class GameHandle:
    """Offers a registered game to Python: its facts, and its rules over states given as bytes."""
    cdef const Game *game
    cdef readonly str name
    cdef readonly tuple actions
    cdef readonly tuple opponents
    cdef readonly tuple observation_layout
    cdef readonly dict action_ids
    cdef bint rehearsed         # whether a debug build has tried the game
    cdef readonly object parse
    cdef readonly object format

    cdef const uint8_t *_view(self, bytes state) except NULL
    cdef int _check_solvable(self, bytes state) except -1
    cdef int opponent_number(self, name) except -1
    cdef int check_hands(self) except -1


cdef GameHandle register_as(
    int interface, size_t struct_size, const Game *game, tuple actions, tuple opponents, tuple observation_layout,
    object parse, object format,
)


cdef inline GameHandle register_game(
    const Game *game, tuple actions, tuple opponents, tuple observation_layout, object parse, object format
):
    """Registers a game. It is compiled into the game's module, and tells by which struct that module was compiled.

    Raises:
        ValueError: Names the field of `Game` or the table, and what is wrong with it.
    """
    return register_as(
        GAME_INTERFACE, sizeof(Game), game, actions, opponents, observation_layout, parse, format
    )
