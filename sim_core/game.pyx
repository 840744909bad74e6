"""The registry of games, and one state's rules for Python: every function takes and returns states as bytes."""
from libc.stdint cimport int16_t, int32_t, uint8_t, uint64_t
from libc.string cimport memcpy

import numpy as np

from sim_core.rng cimport PURPOSE_DEAL, PURPOSE_DETERMINIZE, Stream, make_stream

cdef dict _GAMES = {}


cdef class GameHandle:
    def __init__(self):
        raise TypeError("GameHandle: ask get_game(name) for one")

    @property
    def version(self) -> int:
        return self.game.version

    @property
    def observation_version(self) -> int:
        return self.game.observation_version

    @property
    def state_size(self) -> int:
        return self.game.state_size

    @property
    def num_actions(self) -> int:
        return self.game.num_actions

    @property
    def max_legal(self) -> int:
        return self.game.max_legal

    @property
    def max_plies(self) -> int:
        return self.game.max_plies

    @property
    def observation_size(self) -> int:
        return self.game.observation_size

    def __repr__(self):
        return f"<game {self.name}, version {self.version}>"

    def __reduce__(self):
        return get_game, (self.name,)

    cdef const uint8_t *_view(self, bytes state) except NULL:
        if len(state) != self.game.state_size:
            raise ValueError(f"state: {len(state)} bytes given, a state of {self.name} has {self.game.state_size}")
        return <const uint8_t *>state

    def initial(self, uint64_t seed, int first_player=0, uint64_t stream_number=0) -> bytes:
        if first_player not in (0, 1):
            raise ValueError(f"first_player: {first_player} given, expected 0 or 1")
        out = bytearray(self.game.state_size)
        cdef uint8_t[::1] view = out
        cdef Stream stream = make_stream(seed, PURPOSE_DEAL, stream_number, 0)
        self.game.initial(&view[0], &stream, first_player)
        return bytes(out)

    def legal_actions(self, bytes state) -> tuple:
        cdef const uint8_t *view = self._view(state)
        cdef int16_t actions[256]
        cdef int count = self.game.legal_actions(view, actions)
        return tuple([actions[k] for k in range(count)])

    def step(self, bytes state, int action) -> bytes:
        legal = self.legal_actions(state)
        if action not in legal:
            text = self.actions[action] if 0 <= action < len(self.actions) else "no such id"
            texts = " ".join([self.actions[k] for k in legal]) or "none: the game is over"
            raise ValueError(f"action: {text} (id {action}) is not legal here; legal are {texts}")
        out = bytearray(state)
        cdef uint8_t[::1] view = out
        self.game.step(&view[0], action)
        return bytes(out)

    def determinize(self, bytes state, uint64_t seed) -> bytes:
        self._view(state)
        out = bytearray(state)
        cdef uint8_t[::1] view = out
        cdef Stream stream = make_stream(seed, PURPOSE_DETERMINIZE, 0, 0)
        self.game.determinize(&view[0], &stream)
        return bytes(out)

    def to_move(self, bytes state) -> int:
        return self.game.to_move(self._view(state))

    def ply(self, bytes state) -> int:
        return self.game.ply(self._view(state))

    def is_terminal(self, bytes state) -> bool:
        return bool(self.game.is_terminal(self._view(state)))

    def outcome(self, bytes state, int player) -> int:
        if player not in (0, 1):
            raise ValueError(f"player: {player} given, expected 0 or 1")
        return self.game.outcome(self._view(state), player)

    def scores(self, bytes state) -> tuple:
        cdef int32_t scores[2]
        self.game.scores(self._view(state), scores)
        return scores[0], scores[1]

    def observe(self, bytes state):
        out = np.empty(self.game.observation_size, dtype=np.float32)
        cdef float[::1] view = out
        self.game.observe(self._view(state), &view[0])
        return out

    def is_solvable(self, bytes state) -> bool:
        return bool(self.game.is_solvable(self._view(state)))

    def solve(self, bytes state) -> tuple:
        """(value for the player to move in {-1, 0, 1}, id of a best action)."""
        cdef int16_t best = -1
        if self.is_terminal(state):
            raise ValueError("state: the game is over, there is nothing to solve")
        if not self.is_solvable(state):
            raise ValueError("state: not solvable yet (for Beasty Bar: both decks must be empty)")
        value = self.game.solve(self._view(state), -1, 1, &best)
        return value, best


cdef GameHandle register_game(
    const Game *game, tuple actions, tuple opponents, tuple observation_layout, object parse, object format
):
    cdef GameHandle handle = GameHandle.__new__(GameHandle)
    name = game.name.decode()
    if game.max_legal > 256:
        raise ValueError(f"max_legal: {game.max_legal} given for {name}, at most 256")
    if len(actions) != game.num_actions:
        raise ValueError(f"actions: {len(actions)} texts for {game.num_actions} actions of {name}")
    if len(opponents) != game.num_opponents:
        raise ValueError(f"opponents: {len(opponents)} names for {game.num_opponents} opponents of {name}")
    if sum([size for _, size in observation_layout]) != game.observation_size:
        raise ValueError(f"observation_layout: sizes do not sum to {game.observation_size} for {name}")
    handle.game = game
    handle.name = name
    handle.actions = actions
    handle.opponents = opponents
    handle.observation_layout = observation_layout
    handle.action_ids = {text: k for k, text in enumerate(actions)}
    handle.parse = parse
    handle.format = format
    _GAMES[name] = handle
    return handle


def games() -> tuple:
    """Names of the registered games."""
    return tuple(_GAMES)


def get_game(name: str) -> GameHandle:
    """The game of that name. Raises ValueError naming the games there are."""
    try:
        return _GAMES[name]
    except (KeyError, TypeError):
        raise ValueError(f"game: {name!r} is not known; known are {', '.join(_GAMES)}") from None
