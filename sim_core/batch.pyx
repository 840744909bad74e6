"""Holds batches of games: many states of one game side by side, stepped, observed and played without the GIL."""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

import operator

import numpy as np

from sim_core import _arguments, _threads
from sim_core.game import get_game
from sim_core.game cimport Game, GameHandle
from sim_core.in_use cimport InUse, Reading
from sim_core.rng cimport (
    PURPOSE_DEAL, PURPOSE_OPPONENT, PURPOSE_SAMPLE, Stream, make_stream, next_below, next_double,
)

cdef object MAX_GAMES = 100_000_000


cdef int select_random_action_nogil(const Game *game, const void *state, Stream *stream) noexcept nogil:
    """Returns a uniformly random legal action, or -1 if the game is over."""
    cdef int16_t actions[256]
    cdef int count = game.legal_actions(state, actions)
    return actions[next_below(stream, count)] if count else -1


cdef class GameBatch:
    """Holds `n` games of one kind, dealt from a seed: game i draws from the counter-based stream (seed, streams[i]).

    Args:
        n: Number of games, 0 to 100,000,000.
        seed: Random seed, 0 to 2**64 - 1. The same seed gives the same deals.
        game: Name of a registered game.
        first_player: Player who begins, 0 or 1: one integer, or integers [n].
        streams: Stream numbers [n], by default 0 to n - 1. Games with the same number have the same deal.

    Raises:
        ValueError: Names the argument, what was given and what is expected.
        RuntimeError: From any method: another thread steps or plays the games now.
    """

    # not __init__, because no batch may exist whose pointers are not set, or be dealt anew while it is played
    def __cinit__(self, n, seed=0, *, game="beasty_bar", first_player=0, streams=None):
        cdef Py_ssize_t i
        n = _arguments.integer("n", n, 0, MAX_GAMES, f"a number of games, 0 to {MAX_GAMES:,}")
        cdef const int64_t[::1] first = _arguments.integers("first_player", first_player, n, 0, 1)
        self._allocate(get_game(game), n, seed)
        if streams is not None:
            self.stream_numbers = _arguments.integers("streams", streams, n, 0, 2**63 - 1)
        with nogil:
            for i in range(self.n):
                self.streams[i] = make_stream(self.seed, PURPOSE_DEAL, <uint64_t>self.stream_numbers[i], 0)
                self.game.initial(self.at(i), &self.streams[i], <int>first[i])

    cdef int _allocate(self, GameHandle handle, n, seed) except -1:
        cdef uint64_t key = _arguments.seed(seed)
        self.states = np.zeros((n, handle.state_size), dtype=np.uint8)
        self.stream_numbers = np.arange(n)
        self.streams = np.zeros(n, dtype=[("key", np.uint64), ("counter", np.uint64)])
        self.in_use = InUse("batch")
        self.handle = handle
        self.game = handle.game
        self.seed = key
        self.n = n
        return 0

    @classmethod
    def from_states(cls, states, seed=0, *, streams=None):
        """Returns a batch of the given `State`s, all of one game. `seed` and `streams` are as in `from_packed`."""
        from sim_core.state import State

        try:
            states = list(states)
        except TypeError:
            raise ValueError(f"states: {type(states).__name__} given, expected States") from None
        for state in states:
            if not isinstance(state, State):
                raise ValueError(f"states: {type(state).__name__} among those given, expected States")
        names = {state.game for state in states} or {"beasty_bar"}
        if len(names) != 1:
            raise ValueError(f"states: of several games given ({', '.join(sorted(names))}), expected one")
        size = get_game(next(iter(names))).state_size
        packed = np.frombuffer(b"".join([state.data for state in states]), dtype=np.uint8).reshape(len(states), size)
        return cls.from_packed(packed, game=names.pop(), seed=seed, streams=streams)

    @classmethod
    def from_packed(cls, packed, *, game="beasty_bar", seed=0, streams=None):
        """Returns a batch of packed states, as `packed()` and the replay window hold them.

        Args:
            packed: States, uint8 [n, state_size].
            game: Name of the game.
            seed: Random seed of the games' streams, 0 to 2**64 - 1.
            streams: Stream numbers [n], by default 0 to n - 1. Equal positions with equal numbers are searched alike.

        Raises:
            ValueError: The array is of another type or shape, or a row is no position of the game.
        """
        cdef GameHandle handle = get_game(game)
        array = _arguments.array("packed", packed)
        if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != handle.state_size:
            raise ValueError(
                f"packed: {array.dtype} {array.shape} given, expected uint8 (n, {handle.state_size}) for {game}"
            )
        n = _arguments.integer("packed", len(array), 0, MAX_GAMES, f"at most {MAX_GAMES:,} rows")
        cdef GameBatch batch = GameBatch.__new__(cls, 0)
        batch._allocate(handle, n, seed)
        if streams is not None:
            batch.stream_numbers = _arguments.integers("streams", streams, n, 0, 2**63 - 1)
        cdef Py_ssize_t i, bad = -1
        if n:
            np.asarray(batch.states)[:] = array
        with nogil:
            for i in range(batch.n):
                if not batch.game.is_valid(batch.at(i)):
                    bad = i
                    break
                batch.streams[i] = make_stream(batch.seed, PURPOSE_DEAL, <uint64_t>batch.stream_numbers[i], 1)
        if bad >= 0:
            raise ValueError(f"packed: row {bad} is no position of {game}")
        return batch

    def take(self, rows):
        """Returns a new batch with copies of the games in `rows`, which keep their streams."""
        cdef const int64_t[::1] index = _arguments.integers("rows", rows, None, 0, self.n - 1)
        cdef GameBatch batch = GameBatch.__new__(GameBatch, 0)
        batch._allocate(self.handle, len(index), self.seed)
        cdef Py_ssize_t i
        self.in_use.check(False)
        for i in range(batch.n):
            memcpy(batch.at(i), self.at(index[i]), self.game.state_size)
            batch.stream_numbers[i] = self.stream_numbers[index[i]]
            batch.streams[i] = self.streams[index[i]]
        return batch

    def __len__(self):
        return self.n

    @property
    def num_actions(self) -> int:
        return self.game.num_actions

    @property
    def observation_size(self) -> int:
        return self.game.observation_size

    @property
    def to_move(self):
        """Returns the players to move, int8 [n]."""
        self.in_use.check(False)
        out = np.empty(self.n, dtype=np.int8)
        cdef int8_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = <int8_t>self.game.to_move(self.at(i))
        return out

    @property
    def ply(self):
        """Returns the numbers of turns taken, int16 [n]."""
        self.in_use.check(False)
        out = np.empty(self.n, dtype=np.int16)
        cdef int16_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = <int16_t>self.game.ply(self.at(i))
        return out

    @property
    def is_terminal(self):
        """Returns whether each game is over, bool [n]."""
        self.in_use.check(False)
        out = np.empty(self.n, dtype=np.uint8)
        cdef uint8_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = self.game.is_terminal(self.at(i))
        return out.view(np.bool_)

    @property
    def is_solvable(self):
        """Returns whether each game can be solved exactly, bool [n]."""
        self.in_use.check(False)
        out = np.empty(self.n, dtype=np.uint8)
        cdef uint8_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = self.game.is_solvable(self.at(i))
        return out.view(np.bool_)

    def scores(self):
        """Returns both players' scores, int32 [n, 2]."""
        self.in_use.check(False)
        out = np.empty((self.n, 2), dtype=np.int32)
        cdef int32_t[:, ::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            self.game.scores(self.at(i), &view[i, 0])
        return out

    def outcomes(self):
        """Returns the outcomes for player 0 as the games stand, int8 [n]: -1, 0 or 1."""
        self.in_use.check(False)
        out = np.empty(self.n, dtype=np.int8)
        cdef int8_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = <int8_t>self.game.outcome(self.at(i), 0)
        return out

    def packed(self):
        """Returns a copy of the states, uint8 [n, state_size]."""
        self.in_use.check(False)
        return np.array(self.states)

    def state(self, i):
        """Returns game i as a `State`."""
        from sim_core.state import State

        cdef Py_ssize_t index = _arguments.integer("i", i, 0, self.n - 1)
        self.in_use.check(False)
        return State((<char *>self.at(index))[: self.game.state_size], self.handle.name)

    def legal_mask(self, out=None):
        """Returns which actions are legal, bool [n, num_actions]. None are where a game is over.

        Args:
            out: Array to write into and return. None: a new array.
        """
        shape = (self.n, self.game.num_actions)
        cdef uint8_t[:, ::1] view
        found = _arguments.output("out", out, shape, np.bool_)
        cdef int16_t actions[256]
        cdef Py_ssize_t i
        cdef int k, count
        out = found if out is None else out
        if self.n == 0:
            return out
        view = found.view(np.uint8)
        view[:] = 0
        with Reading(self.in_use):
            with nogil:
                for i in range(self.n):
                    count = self.game.legal_actions(self.at(i), actions)
                    for k in range(count):
                        view[i, actions[k]] = 1
        return out

    def observe(self, out=None):
        """Returns what each player to move may know, float32 [n, observation_size].

        Args:
            out: Array to write into and return. None: a new array.
        """
        found = _arguments.output("out", out, (self.n, self.game.observation_size), np.float32)
        cdef float[:, ::1] view = found
        cdef Py_ssize_t i
        with Reading(self.in_use):
            with nogil:
                for i in range(self.n):
                    self.game.observe(self.at(i), &view[i, 0])
        return found if out is None else out

    def hidden_targets(self):
        """Returns what each player to move cannot see, int8 [n, hidden_size]: 1 or 0, -1 where nothing is to guess.

        Networks may learn from it. It is never part of an observation.
        """
        out = np.empty((self.n, self.game.hidden_size), dtype=np.int8)
        cdef int8_t[:, ::1] view = out
        cdef Py_ssize_t i
        if self.game.hidden_size:
            with Reading(self.in_use):
                with nogil:
                    for i in range(self.n):
                        self.game.hidden_targets(self.at(i), &view[i, 0])
        return out

    def step(self, actions):
        """Plays one action in each game.

        Args:
            actions: Ids of the actions [n]. -1 leaves a game as it is.

        Raises:
            ValueError: An action is not legal. Then no game has changed.
        """
        ids = _arguments.integers("actions", actions, self.n, -1, self.game.num_actions - 1)
        with self.in_use:
            self._step(ids)

    cdef int _step(self, const int64_t[::1] ids) except -1:
        cdef int16_t legal[256]
        cdef Py_ssize_t i, bad = -1
        cdef int k, count
        with nogil:
            for i in range(self.n):
                if ids[i] < 0:
                    continue
                count = self.game.legal_actions(self.at(i), legal)
                for k in range(count):
                    if legal[k] == ids[i]:
                        break
                else:
                    bad = i
                    break
        if bad >= 0:
            try:
                self.handle.step(bytes((<char *>self.at(bad))[: self.game.state_size]), ids[bad])
            except ValueError as error:
                raise ValueError(f"actions: game {bad}: {error}") from None
        with nogil:
            for i in range(self.n):
                if ids[i] >= 0:
                    self.game.step(self.at(i), <int>ids[i])
        return 0

    def opponent_actions(self, name, seed=0, rows=None):
        """Returns the actions of a built-in opponent, int16 [m]. -1 where the game is over.

        Args:
            name: Name of the opponent.
            seed: Random seed of its choices. They come from the stream (seed, the game's stream number, ply), so
                the other games of the batch change none.
            rows: Games to play in [m]. None: all.

        Raises:
            ValueError: The game has no such opponent, or there is no such row.
        """
        cdef int opponent = self.handle.opponent_number(name)
        index = np.arange(self.n) if rows is None else _arguments.integers("rows", rows, None, 0, self.n - 1)
        cdef const int64_t[::1] at = index
        out = np.empty(len(index), dtype=np.int16)
        cdef int16_t[::1] view = out
        cdef uint64_t key = _arguments.seed(seed)
        cdef Stream stream
        cdef Py_ssize_t k
        with Reading(self.in_use):
            with nogil:
                for k in range(at.shape[0]):
                    stream = make_stream(
                        key, PURPOSE_OPPONENT, <uint64_t>self.stream_numbers[at[k]], self.game.ply(self.at(at[k]))
                    )
                    view[k] = <int16_t>self.game.opponent_action(opponent, self.at(at[k]), &stream)
        return out

    def uniforms(self, seed=0):
        """Returns one uniform number in (0, 1) per game for sampling its next action, float64 [n].

        It comes from the stream (seed, the game's stream number, ply), so the other games of the batch do not matter.
        """
        out = np.empty(self.n, dtype=np.float64)
        cdef double[::1] view = out
        cdef uint64_t key = _arguments.seed(seed)
        cdef Stream stream
        cdef Py_ssize_t i
        self.in_use.check(False)
        for i in range(self.n):
            stream = make_stream(key, PURPOSE_SAMPLE, <uint64_t>self.stream_numbers[i], self.game.ply(self.at(i)))
            view[i] = next_double(&stream)
        return out

    def play_random(self, threads=1):
        """Plays every game to its end with uniformly random actions, each game from its own stream."""
        with self.in_use:
            _threads.for_chunks(self._play_random_chunk, self.n, threads)

    def _play_random_chunk(self, Py_ssize_t low, Py_ssize_t high):
        cdef Py_ssize_t i
        low, high = max(low, 0), min(high, self.n)
        cdef int action
        with nogil:
            for i in range(low, high):
                while True:
                    action = select_random_action_nogil(self.game, self.at(i), &self.streams[i])
                    if action < 0:
                        break
                    self.game.step(self.at(i), action)

    def _random_action(self, i):
        cdef Py_ssize_t index = _arguments.integer("i", i, 0, self.n - 1)
        self.in_use.check(True)
        cdef int action = select_random_action_nogil(self.game, self.at(index), &self.streams[index])
        if action < 0:
            raise ValueError(f"i: game {i} is over, it has no action to choose")
        return action


# `i` stays unannotated: Cython would turn a float into an int unasked
def select_random_action(batch: GameBatch, i) -> int:
    """Returns a uniformly random legal action of game `i`, drawn from that game's stream."""
    if not isinstance(batch, GameBatch):
        raise ValueError(f"batch: {type(batch).__name__} given, expected GameBatch")
    try:
        operator.index(i)
    except TypeError:
        raise TypeError(f"Argument 'i' has incorrect type (expected int, got {type(i).__name__})") from None
    return batch._random_action(i)


def c_state_to_python(batch: GameBatch, i):
    """Returns game `i` as a `State`, for an agent written in Python. Later steps of the batch do not change it."""
    if not isinstance(batch, GameBatch):
        raise ValueError(f"batch: {type(batch).__name__} given, expected GameBatch")
    return batch.state(i)
