"""Keeps what a game runner is there for: how its games ended, and the positions that the learner moved in."""
from libc.math cimport NAN, isnan
from libc.stdint cimport int8_t, int32_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from sim_core.game cimport GameHandle
from sim_core.in_use cimport InUse, Reading
from sim_core.rng cimport mix64
from sim_core.tree_search.solved_roots cimport exact_value, has_exact_value


cdef class GameRecord:
    """Keeps the results of a schedule's games and, where wanted, the learner's positions.

    A `GameRunner` makes one and fills it; nobody can read it meanwhile. Rows of games [m] are in the schedule's order.
    Rows of positions [k] go game by game, and within a game ply by ply.

    Args:
        handle: The game that is played.
        games: Number of games, m.
        keeps_positions: Whether the learner's positions are kept.
        wants_exact: Whether positions learn exact values where there are any, see `RunnerSettings.value_target`.
        keeps_keys: Whether to keep a key of each game, by which games are told apart.
        condition_size: Numbers of the condition that is kept with each position.
    """

    def __cinit__(self, GameHandle handle not None, Py_ssize_t games, *, bint keeps_positions, bint wants_exact,
                  bint keeps_keys=False, int condition_size=0):
        cdef Py_ssize_t room = handle.game.max_plies if keeps_positions else 0
        self.in_use = InUse("record")
        self.handle = handle
        self.game = handle.game
        self.keeps_positions = keeps_positions
        self.keeps_keys = keeps_keys
        self.wants_exact = keeps_positions and wants_exact
        # pages that nothing is written to take no memory
        self.kept_states = np.empty((games, room, self.game.state_size), dtype=np.uint8)
        self.kept_policies = np.empty((games, room, self.game.num_actions), dtype=np.float32)
        self.kept_movers = np.full((games, room), -1, dtype=np.int8)
        self.kept_values = np.empty((games, room), dtype=np.float32)
        self.kept_conditions = np.empty((games, room, condition_size), dtype=np.uint8)
        self.kept_exact = np.full((games, room), np.nan, dtype=np.float32)
        self.solved = np.full(games, np.nan, dtype=np.float32)
        self.kept = np.zeros(games, dtype=np.int32)
        self.ends = np.zeros(games, dtype=np.int8)
        self.final_scores = np.zeros((games, 2), dtype=np.int32)
        self.hashes = np.zeros(games if keeps_keys else 0, dtype=np.uint64)

    # -- what the runner calls ---------------------------------------------------------------------------------------

    cdef void see(self, Py_ssize_t number, const uint8_t *state, int model, int searcher) noexcept nogil:
        """Notes the exact value of the game's first position that can be solved, whoever is to move in it.

        Where there is a model of `searcher`'s opponent, it is the value of the best response to it.
        """
        if self.wants_exact and isnan(self.solved[number]):
            self.solved[number] = self.value_of(state, model, searcher)

    cdef void keep(
        self, Py_ssize_t number, const uint8_t *state, const float *policy, float value, int model,
        const float *condition
    ) noexcept nogil:
        """Keeps a position of the learner. NULL in place of a policy: there is no target to learn from."""
        cdef int k
        cdef int at = self.kept[number]
        if not self.keeps_positions:
            return
        memcpy(&self.kept_states[number, at, 0], state, self.game.state_size)
        self.kept_movers[number, at] = <int8_t>self.game.to_move(state)
        self.kept_values[number, at] = value
        if self.wants_exact:
            self.kept_exact[number, at] = self.value_of(state, model, self.game.to_move(state))
        for k in range(self.kept_conditions.shape[2]):
            self.kept_conditions[number, at, k] = <uint8_t>(255.0 * condition[k] + 0.5)
        if policy != NULL:
            memcpy(&self.kept_policies[number, at, 0], policy, self.game.num_actions * sizeof(float))
        else:
            memset(&self.kept_policies[number, at, 0], 0, self.game.num_actions * sizeof(float))
        self.kept[number] += 1

    cdef void add_to_key(self, Py_ssize_t number, const uint8_t *state, int controller, float *room) noexcept nogil:
        """Adds who is to move in a position, and what that player sees, to the game's key.

        The state would not do: its bytes differ where players 0 and 1 are exchanged, though nobody sees another game.
        `room` has place for an even number of floats, of which the last one stays 0 where the observation's is odd.
        """
        cdef uint64_t total = <uint64_t>controller, word
        cdef int k
        self.game.observe(state, room)
        for k in range((self.game.observation_size + 1) // 2):
            memcpy(&word, &room[2 * k], sizeof(uint64_t))
            if word:
                total += mix64(word + <uint64_t>(k + 1) * <uint64_t>0x9E3779B97F4A7C15)
        self.hashes[number] = mix64(self.hashes[number] ^ total)

    cdef void end(self, Py_ssize_t number, const uint8_t *state) noexcept nogil:
        """Keeps how a game ended."""
        if self.keeps_keys:
            # what was hidden to the end may still decide it
            self.hashes[number] = mix64(self.hashes[number] + self.game.outcome(state, self.game.to_move(state)))
        self.ends[number] = <int8_t>self.game.outcome(state, 0)
        self.game.scores(state, &self.final_scores[number, 0])

    cdef float value_of(self, const uint8_t *state, int model, int searcher) noexcept nogil:
        """Returns the exact value for player 0, or NaN where the position cannot be solved yet."""
        cdef double value
        if not has_exact_value(self.game, state, model):
            return NAN
        value = exact_value(self.game, state, model, searcher)
        return <float>(value if self.game.to_move(state) == 0 else -value)

    # -- what came of it ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Returns the number of games."""
        return self.ends.shape[0]

    @property
    def outcomes(self):
        """Returns the games' outcomes for player 0, int8 [m]: -1, 0 or 1."""
        with Reading(self.in_use):
            return np.array(self.ends)

    @property
    def scores(self):
        """Returns both players' final scores, int32 [m, 2]."""
        with Reading(self.in_use):
            return np.array(self.final_scores)

    @property
    def keys(self):
        """Returns the games' keys, int64 [m], or [0] where none are kept.

        Games in which the players saw and did the same have the same key, whichever of them was player 0.
        """
        with Reading(self.in_use):
            return np.array(self.hashes).view(np.int64)

    @property
    def states(self):
        """Returns the kept positions, packed, uint8 [k, state_size]."""
        return self._kept(self.kept_states)

    @property
    def policies(self):
        """Returns the kept positions' policy targets, float32 [k, A]; zeros where there is no target."""
        return self._kept(self.kept_policies)

    @property
    def movers(self):
        """Returns the player to move in each kept position, int8 [k]."""
        return self._kept(self.kept_movers)

    @property
    def conditions(self):
        """Returns what the network was told at kept positions, uint8 [k, condition_size]: probabilities times 255."""
        return self._kept(self.kept_conditions)

    @property
    def position_outcomes(self):
        """Returns the values that kept positions learn, for their movers, float32 [k]; see `RunnerSettings`."""
        with Reading(self.in_use):
            ends, solved, own = np.asarray(self.ends), np.asarray(self.solved), np.asarray(self.kept_exact)
            exact = np.where(np.isnan(solved), ends, solved)[:, None]
            return self._kept(self._signs() * np.where(np.isnan(own), exact, own)).astype(np.float32)

    @property
    def position_margins(self):
        """Returns the final margins for the kept positions' movers, int32 [k]: own score minus opponent's score."""
        with Reading(self.in_use):
            scores = np.asarray(self.final_scores)
            return self._kept(self._signs() * (scores[:, 0] - scores[:, 1])[:, None]).astype(np.int32)

    @property
    def position_values(self):
        """Returns the search's values for the kept positions' movers, float32 [k].

        They are exact where the position was solved, and NaN where there was no search.
        """
        return self._kept(self.kept_values)

    cdef _kept(self, rows):
        """Returns those of [m, max_plies, ...] that stand for a kept position."""
        with Reading(self.in_use):
            rows = np.asarray(rows)
            return rows[np.arange(rows.shape[1])[None, :] < np.asarray(self.kept)[:, None]]

    cdef _signs(self):
        return np.where(np.asarray(self.kept_movers) == 0, 1, -1)
