"""Declares the game runner: what it holds for each slot, and which phases a slot goes through."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

from sim_core.expectations cimport Expectations
from sim_core.game cimport Game
from sim_core.game_record cimport GameRecord
from sim_core.rng cimport Stream
from sim_core.tree_search.leaves cimport LeafBatch
from sim_core.tree_search.trees cimport Trees


cdef enum:
    EMPTY = 0       # no game, or a game that is over
    TO_MOVE = 1     # the next move is to be made
    ROOT = 2        # the position itself waits for the network
    LEAF = 3        # a leaf of the search waits for the network
    OUTSIDE = 4     # an opponent outside the engine is to move
    CHOSEN = 5      # an opponent has chosen its action, which is not played yet
    ASKING = 6      # the network is asked whether it would have chosen that action
    LEARNER = 0     # the controller that searches; opponent number k is controller k + 1


cdef class GameRunner:
    cdef readonly LeafBatch leaves
    cdef Trees trees
    cdef const Game *game
    cdef Py_ssize_t slots, games, next_game
    cdef int simulations, opening_plies
    cdef Expectations expectations      # of the learner in each slot's game
    cdef int32_t[::1] chosen            # [slots], the other side's action, from CHOSEN on
    cdef double temperature
    cdef uint64_t seed, learner_seed
    cdef readonly GameRecord record     # how the games ended, and the learner's positions
    cdef const int64_t[::1] streams
    cdef const int64_t[::1] first_player
    cdef const int64_t[:, ::1] controllers
    cdef const int32_t[::1] kinds       # [opponents], number of a built-in one; others are outside the engine
    cdef uint64_t[::1] opponent_seeds   # [opponents]
    cdef uint8_t[:, ::1] states         # [slots, state_size]
    cdef float[:, ::1] observed         # [slots, observation_size, made even], room for `add_to_key`
    cdef int64_t[::1] numbers           # [slots], the game in a slot
    cdef int64_t[::1] plies             # [slots], turns taken in it, which `progress` reads while others play
    cdef uint8_t[::1] phase             # [slots]
    cdef uint8_t[:, :, ::1] turns       # [slots, max_plies, state_size], positions so far, for opponents outside
    cdef int16_t[:, ::1] played         # [slots, max_plies], the actions there
    cdef bint keeps_turns
    cdef double[::1] opponent_seconds   # [slots]
    cdef int64_t[::1] searched          # [slots], number of searches
    cdef readonly Py_ssize_t finished
    cdef int64_t number                 # the trees' `owner` as long as nobody else has taken them

    cdef int _check_owner(self) except -1
    cdef int _advance(self, threads) except -1
    cdef void _deal(self, Py_ssize_t slot) noexcept
    cdef bint _waits(self, Py_ssize_t slot) noexcept nogil
    cdef bint _answer(self, Py_ssize_t slot) noexcept nogil
    cdef void _move(self, Py_ssize_t slot) noexcept nogil
    cdef void _tell(self, Py_ssize_t slot, bint learner) noexcept nogil
    cdef bint _is_solved(self, Py_ssize_t slot) noexcept nogil
    cdef Stream _stream(self, Py_ssize_t slot, uint64_t seed, int purpose) noexcept nogil
    cdef void _opponent(self, Py_ssize_t slot, int opponent) noexcept nogil
    cdef void _conclude(self, Py_ssize_t slot) noexcept nogil
    cdef void _ask(self, Py_ssize_t slot) noexcept nogil
    cdef bint _take_opinion(self, Py_ssize_t slot, const float *logits) noexcept nogil
    cdef void _step(self, Py_ssize_t slot, int action) noexcept nogil
    cdef bint _play_searched(self, Py_ssize_t slot) noexcept nogil
    cdef bint _play_solved(self, Py_ssize_t slot, const float *logits) noexcept nogil
    cdef bint _play_policy(self, Py_ssize_t slot, const float *logits) noexcept nogil
    cdef void _learner_plays(
        self, Py_ssize_t slot, const float *policy, bint is_target, int action, float value
    ) noexcept nogil
    cdef _positions(self, slots)
    cdef int _play(self, slots, actions) except -1
