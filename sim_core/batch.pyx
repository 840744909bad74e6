"""Batches of games: many states of one game side by side, stepped, observed and played without the GIL."""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

import numpy as np

from sim_core import _threads
from sim_core.game import get_game
from sim_core.game cimport Game, GameHandle
from sim_core.rng cimport (
    PURPOSE_DEAL, PURPOSE_OPPONENT, PURPOSE_SAMPLE, Stream, make_stream, next_below, next_double,
)


cdef int select_random_action_nogil(const Game *game, const void *state, Stream *stream) noexcept nogil:
    """A uniformly random legal action, or -1 where the game is over."""
    cdef int16_t actions[256]
    cdef int count = game.legal_actions(state, actions)
    return actions[next_below(stream, count)] if count else -1


def _integers(name, values, n, low, high):
    """`values` as a contiguous int64 array [n] within low to high, or a ValueError that names the fault."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: dtype {array.dtype} given, expected integers")
    if array.ndim == 0:
        array = np.full(n, array)
    if array.ndim != 1 or (n is not None and len(array) != n):
        raise ValueError(f"{name}: shape {array.shape} given, expected ({'m' if n is None else n},)")
    if array.size and (array.min() < low or array.max() > high):
        worst = array.min() if array.min() < low else array.max()
        raise ValueError(f"{name}: {worst} given, expected {low} to {high}")
    return np.ascontiguousarray(array, dtype=np.int64)


cdef class GameBatch:
    """`n` games of one kind, dealt from `seed`: game i draws from the counter-based stream (seed, streams[i]).

    Args:
        n: how many games, at least 0.
        seed: 0 to 2**64 - 1.
        game: a registered game's name.
        first_player: who starts, an integer or integers [n].
        streams: stream numbers [n], by default 0 to n - 1; games with one number have one deal.

    Raises:
        ValueError: names the argument, what was given and what is expected.
    """

    def __init__(self, n, seed=0, *, game="beasty_bar", first_player=0, streams=None):
        cdef Py_ssize_t i
        if not isinstance(n, (int, np.integer)) or n < 0:
            raise ValueError(f"n: {n!r} given, expected a number of games, 0 or more")
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
            raise ValueError(f"seed: {seed!r} given, expected an integer from 0 to 2**64 - 1")
        cdef int64_t[::1] first = _integers("first_player", first_player, n, 0, 1)
        self._allocate(get_game(game), n, seed)
        self.stream_numbers = np.arange(n) if streams is None else _integers("streams", streams, n, 0, 2**63 - 1)
        with nogil:
            for i in range(self.n):
                self.streams[i] = make_stream(self.seed, PURPOSE_DEAL, <uint64_t>self.stream_numbers[i], 0)
                self.game.initial(self.at(i), &self.streams[i], <int>first[i])

    def _allocate(self, GameHandle handle, n, seed):
        self.handle = handle
        self.game = handle.game
        self.n = n
        self.seed = seed
        self.states = np.zeros((n, handle.state_size), dtype=np.uint8)
        self.stream_numbers = np.arange(n)
        self.streams = np.zeros(n, dtype=[("key", np.uint64), ("counter", np.uint64)])

    @classmethod
    def from_states(cls, states, seed=0):
        """A batch of the given `State`s, all of one game."""
        states = list(states)
        names = {state.game for state in states} or {"beasty_bar"}
        if len(names) != 1:
            raise ValueError(f"states: of several games given ({', '.join(sorted(names))}), expected one")
        size = get_game(next(iter(names))).state_size
        packed = np.frombuffer(b"".join([state.data for state in states]), dtype=np.uint8).reshape(len(states), size)
        return cls.from_packed(packed, game=names.pop(), seed=seed)

    @classmethod
    def from_packed(cls, packed, *, game="beasty_bar", seed=0):
        """A batch of packed states, uint8 [n, state_size], as `packed()` and the replay window hold them."""
        handle = get_game(game)
        array = np.asarray(packed)
        if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != handle.state_size:
            raise ValueError(
                f"packed: {array.dtype} {array.shape} given, expected uint8 (n, {handle.state_size}) for {game}"
            )
        cdef GameBatch batch = cls.__new__(cls)
        batch._allocate(handle, len(array), seed)
        cdef Py_ssize_t i
        if len(array):
            np.asarray(batch.states)[:] = array
        for i in range(batch.n):
            batch.streams[i] = make_stream(batch.seed, PURPOSE_DEAL, <uint64_t>i, 1)
        return batch

    def take(self, rows):
        """A new batch with copies of the given games, which keep their streams."""
        cdef int64_t[::1] index = _integers("rows", rows, None, 0, self.n - 1)
        cdef GameBatch batch = GameBatch.__new__(GameBatch)
        batch._allocate(self.handle, len(index), self.seed)
        cdef Py_ssize_t i
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
        """Player to move, int8 [n]."""
        out = np.empty(self.n, dtype=np.int8)
        cdef int8_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = <int8_t>self.game.to_move(self.at(i))
        return out

    @property
    def ply(self):
        """Turns taken, int16 [n]."""
        out = np.empty(self.n, dtype=np.int16)
        cdef int16_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = <int16_t>self.game.ply(self.at(i))
        return out

    @property
    def is_terminal(self):
        """Whether each game is over, bool [n]."""
        out = np.empty(self.n, dtype=np.uint8)
        cdef uint8_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = self.game.is_terminal(self.at(i))
        return out.view(np.bool_)

    @property
    def is_solvable(self):
        """Whether each game can be solved exactly, bool [n]."""
        out = np.empty(self.n, dtype=np.uint8)
        cdef uint8_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = self.game.is_solvable(self.at(i))
        return out.view(np.bool_)

    def scores(self):
        """Both players' scores, int32 [n, 2]."""
        out = np.empty((self.n, 2), dtype=np.int32)
        cdef int32_t[:, ::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            self.game.scores(self.at(i), &view[i, 0])
        return out

    def outcomes(self):
        """Who wins as the games stand, for player 0: -1, 0 or 1, int8 [n]."""
        out = np.empty(self.n, dtype=np.int8)
        cdef int8_t[::1] view = out
        cdef Py_ssize_t i
        for i in range(self.n):
            view[i] = <int8_t>self.game.outcome(self.at(i), 0)
        return out

    def packed(self):
        """A copy of the states, uint8 [n, state_size]."""
        return np.array(self.states)

    def state(self, i):
        """Game i as a `State`."""
        from sim_core.state import State

        cdef int64_t[::1] index = _integers("i", [i], 1, 0, self.n - 1)
        return State((<char *>self.at(index[0]))[: self.game.state_size], self.handle.name)

    def legal_mask(self, out=None):
        """Which actions are legal, bool [n, num_actions]; none where a game is over."""
        shape = (self.n, self.game.num_actions)
        out = _output("out", out, shape, np.bool_)
        cdef uint8_t[:, ::1] view = out.view(np.uint8)
        cdef int16_t actions[256]
        cdef Py_ssize_t i
        cdef int k, count
        if self.n == 0:
            return out
        view[:] = 0
        with nogil:
            for i in range(self.n):
                count = self.game.legal_actions(self.at(i), actions)
                for k in range(count):
                    view[i, actions[k]] = 1
        return out

    def observe(self, out=None):
        """What each player to move may know, float32 [n, observation_size]."""
        out = _output("out", out, (self.n, self.game.observation_size), np.float32)
        cdef float[:, ::1] view = out
        cdef Py_ssize_t i
        with nogil:
            for i in range(self.n):
                self.game.observe(self.at(i), &view[i, 0])
        return out

    def step(self, actions):
        """Play one action in each game, ids [n]; -1 leaves a game as it is.

        Raises:
            ValueError: an action is not legal; then no game has changed.
        """
        cdef int64_t[::1] ids = _integers("actions", actions, self.n, -1, self.game.num_actions - 1)
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

    def opponent_actions(self, name, seed=0, rows=None):
        """The built-in opponent's action in each game (or those in `rows`), int16 [m]; -1 where the game is over.

        Random choices come from the stream (seed, the game's stream number, ply), whatever the batch.
        """
        if name not in self.handle.opponents:
            raise ValueError(f"name: {name!r} is no opponent of {self.handle.name}; known are "
                             + ", ".join(self.handle.opponents))
        cdef int opponent = self.handle.opponents.index(name)
        index = np.arange(self.n) if rows is None else _integers("rows", rows, None, 0, self.n - 1)
        cdef int64_t[::1] at = index
        out = np.empty(len(index), dtype=np.int16)
        cdef int16_t[::1] view = out
        cdef uint64_t key = seed
        cdef Stream stream
        cdef Py_ssize_t k
        with nogil:
            for k in range(at.shape[0]):
                stream = make_stream(
                    key, PURPOSE_OPPONENT, <uint64_t>self.stream_numbers[at[k]], self.game.ply(self.at(at[k]))
                )
                view[k] = <int16_t>self.game.opponent_action(opponent, self.at(at[k]), &stream)
        return out

    def uniforms(self, seed=0):
        """One number in (0, 1) a game for sampling its next action, float64 [n], whatever the batch.

        It comes from the stream (seed, the game's stream number, ply).
        """
        out = np.empty(self.n, dtype=np.float64)
        cdef double[::1] view = out
        cdef uint64_t key = seed
        cdef Stream stream
        cdef Py_ssize_t i
        for i in range(self.n):
            stream = make_stream(key, PURPOSE_SAMPLE, <uint64_t>self.stream_numbers[i], self.game.ply(self.at(i)))
            view[i] = next_double(&stream)
        return out

    def play_random(self, threads=1):
        """Play every game to its end with uniformly random actions, each from its own stream."""
        _threads.for_chunks(self._play_random_chunk, self.n, threads)

    def _play_random_chunk(self, Py_ssize_t low, Py_ssize_t high):
        cdef Py_ssize_t i
        cdef int action
        with nogil:
            for i in range(low, high):
                while True:
                    action = select_random_action_nogil(self.game, self.at(i), &self.streams[i])
                    if action < 0:
                        break
                    self.game.step(self.at(i), action)

    def _random_action(self, i):
        cdef int64_t[::1] index = _integers("i", [i], 1, 0, self.n - 1)
        cdef int action = select_random_action_nogil(self.game, self.at(index[0]), &self.streams[index[0]])
        if action < 0:
            raise ValueError(f"i: game {i} is over, it has no action to choose")
        return action


def _output(name, out, shape, dtype):
    """A caller's buffer, checked, or a new one."""
    if out is None:
        return np.empty(shape, dtype=dtype)
    if not isinstance(out, np.ndarray) or out.dtype != dtype or out.shape != shape or not out.flags.c_contiguous:
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"{name}: {found} given, expected a contiguous {np.dtype(dtype)} array {shape}")
    if not out.flags.writeable:
        raise ValueError(f"{name}: read-only array given, expected a writable one")
    return out


def select_random_action(batch: GameBatch, i: int) -> int:
    """A uniformly random legal action of game `i`, drawn from that game's stream."""
    if not isinstance(batch, GameBatch):
        raise ValueError(f"batch: {type(batch).__name__} given, expected GameBatch")
    return batch._random_action(i)


def c_state_to_python(batch: GameBatch, i: int):
    """Game `i` as a `State`, for an agent written in Python; later steps of the batch do not change it."""
    if not isinstance(batch, GameBatch):
        raise ValueError(f"batch: {type(batch).__name__} given, expected GameBatch")
    return batch.state(i)
