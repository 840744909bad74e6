"""Registers games, and offers one state's rules to Python: every function takes and returns states as bytes."""
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint64_t

import numpy as np

from sim_core import _arguments
from sim_core.tree_search.solved_roots cimport NO_MODEL, SolvedRoot, has_exact_value, optimal_actions
from sim_core.rng cimport PURPOSE_BELIEF, PURPOSE_DEAL, PURPOSE_DETERMINIZE, Stream, make_stream

cdef extern from *:
    """
    #ifndef LIT_ALPHAZERO_DEBUG
    #define LIT_ALPHAZERO_DEBUG 0
    #endif
    """
    const bint DEBUG "LIT_ALPHAZERO_DEBUG"

cdef dict _GAMES = {}
cdef bint _registering = False


cdef class GameHandle:
    def __cinit__(self):
        if not _registering:
            raise TypeError("GameHandle: ask get_game(name) for one")

    @property
    def version(self) -> int:
        """Returns the version of rules and action ids. Checkpoints of another version are refused."""
        return self.game.version

    @property
    def observation_version(self) -> int:
        """Returns the version of the observation's layout. Checkpoints of another version are refused."""
        return self.game.observation_version

    @property
    def state_size(self) -> int:
        """Returns the bytes of a packed state."""
        return self.game.state_size

    @property
    def num_actions(self) -> int:
        """Returns the number of action ids, A."""
        return self.game.num_actions

    @property
    def max_legal(self) -> int:
        """Returns the most legal actions that any position has."""
        return self.game.max_legal

    @property
    def max_plies(self) -> int:
        """Returns the most turns that any game has."""
        return self.game.max_plies

    @property
    def observation_size(self) -> int:
        """Returns the numbers in an observation."""
        return self.game.observation_size

    @property
    def hidden_size(self) -> int:
        """Returns the number of questions that `hidden_targets` answers. 0: nothing is hidden."""
        return self.game.hidden_size

    @property
    def margin_scale(self) -> int:
        """Returns the unit, about its usual size, in which the difference of scores is learned."""
        return max(self.game.margin_scale, 1)

    @property
    def deals_at_random(self) -> bool:
        """Returns whether the deal draws anything. Where it does not, all games begin alike."""
        cdef Stream stream = make_stream(0, PURPOSE_DEAL, 0, 0)
        out = bytearray(self.game.state_size)
        cdef uint8_t[::1] view = out
        self.game.initial(&view[0], &stream, 0)
        return stream.counter != 0

    def __repr__(self):
        return f"<game {self.name}, version {self.version}>"

    def __reduce__(self):
        return get_game, (self.name,)

    cdef const uint8_t *_view(self, bytes state) except NULL:
        if len(state) != self.game.state_size:
            raise ValueError(f"state: {len(state)} bytes given, a state of {self.name} has {self.game.state_size}")
        cdef const uint8_t *view = state
        if not self.game.is_valid(view):
            raise ValueError(f"state: these bytes are no position of {self.name}")
        return view

    def is_valid(self, bytes state not None) -> bool:
        """Returns whether the bytes are a packed state. Every other method refuses bytes that are not."""
        return len(state) == self.game.state_size and bool(self.game.is_valid(<const uint8_t *>state))

    def initial(self, seed, first_player=0, stream_number=0) -> bytes:
        """Returns the deal of stream `stream_number` of a seed, with this player to begin."""
        cdef int first = _arguments.integer("first_player", first_player, 0, 1, "0 or 1")
        cdef uint64_t key = _arguments.seed(seed)
        cdef uint64_t number = _arguments.integer("stream_number", stream_number, 0, 2**63 - 1)
        out = bytearray(self.game.state_size)
        cdef uint8_t[::1] view = out
        cdef Stream stream = make_stream(key, PURPOSE_DEAL, number, 0)
        self.game.initial(&view[0], &stream, first)
        return bytes(out)

    def legal_actions(self, bytes state not None) -> tuple:
        """Returns the ids of the legal actions in increasing order. There are none when the game is over."""
        cdef const uint8_t *view = self._view(state)
        cdef int16_t actions[256]
        cdef int count = self.game.legal_actions(view, actions)
        return tuple([actions[k] for k in range(count)])

    def step(self, bytes state not None, action) -> bytes:
        """Returns the state after the mover's whole turn. Raises ValueError if the action is not legal."""
        legal = self.legal_actions(state)
        cdef int number = _arguments.integer(
            "action", action, -2**31, 2**31 - 1, f"an id from 0 to {len(self.actions) - 1}"
        )
        if number not in legal:
            text = self.actions[number] if 0 <= number < len(self.actions) else "no such id"
            texts = " ".join([self.actions[k] for k in legal]) or "none: the game is over"
            raise ValueError(f"action: {text} (id {number}) is not legal here; legal are {texts}")
        out = bytearray(state)
        cdef uint8_t[::1] view = out
        self.game.step(&view[0], number)
        return bytes(out)

    def determinize(self, bytes state not None, seed) -> bytes:
        """Returns a random state, drawn uniformly from those that look the same to the player to move."""
        cdef uint64_t key = _arguments.seed(seed)
        self._view(state)
        out = bytearray(state)
        cdef uint8_t[::1] view = out
        cdef Stream stream = make_stream(key, PURPOSE_DETERMINIZE, 0, 0)
        self.game.determinize(&view[0], &stream)
        return bytes(out)

    def to_move(self, bytes state not None) -> int:
        """Returns the player to move, 0 or 1."""
        return self.game.to_move(self._view(state))

    def ply(self, bytes state not None) -> int:
        """Returns the number of turns taken."""
        return self.game.ply(self._view(state))

    def is_terminal(self, bytes state not None) -> bool:
        """Returns whether the game is over."""
        return bool(self.game.is_terminal(self._view(state)))

    def outcome(self, bytes state not None, player) -> int:
        """Returns the outcome for `player` as the game stands: -1, 0 or 1."""
        cdef int whose = _arguments.integer("player", player, 0, 1, "0 or 1")
        return self.game.outcome(self._view(state), whose)

    def scores(self, bytes state not None) -> tuple:
        """Returns both players' scores as the game stands."""
        cdef int32_t scores[2]
        self.game.scores(self._view(state), scores)
        return scores[0], scores[1]

    def observe(self, bytes state not None):
        """Returns what the player to move may know, float32 [observation_size]."""
        out = np.empty(self.game.observation_size, dtype=np.float32)
        cdef float[::1] view = out
        self.game.observe(self._view(state), &view[0])
        return out

    def hidden_targets(self, bytes state not None):
        """Returns what the mover cannot see, int8 [hidden_size]: 1 or 0, -1 where there is nothing to guess."""
        out = np.empty(self.game.hidden_size, dtype=np.int8)
        cdef int8_t[::1] view = out
        cdef const uint8_t *at = self._view(state)
        if self.game.hidden_size:
            self.game.hidden_targets(at, &view[0])
        return out

    cdef int opponent_number(self, name) except -1:
        """Returns the number of the built-in opponent of this name, or raises ValueError naming all."""
        if not isinstance(name, str) or name not in self.opponents:
            expected = ", ".join(self.opponents)
            raise ValueError(f"name: {name!r} given, {self.name} has no such opponent; expected one of {expected}")
        return self.opponents.index(name)

    def opponent_policy(self, name, bytes state not None):
        """Returns the probability of each action with which an opponent plays it, float32 [A].

        Args:
            name: Name of the built-in opponent.
            state: Packed state. When the game is over, all probabilities are 0.

        Raises:
            ValueError: The game has no such opponent or does not say how likely its actions are, or the bytes are no
                position.
        """
        cdef int opponent = self.opponent_number(name)
        if self.game.opponent_policy == NULL:
            raise ValueError(f"name: {self.name} does not say how likely the actions of its opponents are")
        out = np.empty(self.game.num_actions, dtype=np.float32)
        cdef float[::1] view = out
        self.game.opponent_policy(opponent, self._view(state), &view[0])
        return out

    @property
    def has_hidden_hands(self) -> bool:
        """Returns whether the game tells which hands a player may hold, so that beliefs about them can be had."""
        return self.game.max_hands > 0

    cdef int check_hands(self) except -1:
        """Raises ValueError where the game has no hidden hands."""
        if not self.has_hidden_hands:
            raise ValueError(f"game: {self.name} does not tell what hands a player may hold (docs/adding_a_game.md)")
        return 0

    def hidden_hands(self, bytes state not None, player):
        """Returns the hands that a player may hold for all that the other knows, uint64 [k] in increasing order.

        A hand is a set: its bit i is question i of `hidden_targets`.

        Args:
            state: Packed state.
            player: Player who holds the hand, 0 or 1.

        Raises:
            ValueError: The game has no hidden hands, or the bytes are no position.
        """
        cdef int whose = _arguments.integer("player", player, 0, 1, "0 or 1")
        cdef uint64_t hands[MAX_HANDS]
        cdef const uint8_t *view = self._view(state)
        self.check_hands()
        cdef int count = self.game.hidden_hands(view, whose, hands), k
        return np.array([hands[k] for k in range(count)], dtype=np.uint64)

    def hand_likelihoods(self, name, bytes state not None, action):
        """Returns how likely an opponent plays an action with each hand that the player to move may hold, float64 [k].

        Args:
            name: Name of the built-in opponent that is to move.
            state: Packed state. Which of the mover's cards are in its hand makes no difference.
            action: Id of the action.

        Raises:
            ValueError: The game has no hidden hands or no such opponent or action, or the bytes are no position.
        """
        cdef int opponent = self.opponent_number(name)
        cdef int number = _arguments.integer("action", action, 0, self.game.num_actions - 1)
        hands = self.hidden_hands(state, self.to_move(state))
        out = np.empty(len(hands))
        cdef const uint64_t[::1] of = hands
        cdef double[::1] view = out
        self.game.hand_likelihoods(opponent, self._view(state), number, &of[0], <int>len(hands), &view[0])
        return out

    def deal_hand(self, bytes state not None, player, hand, seed) -> bytes:
        """Returns the state with this hand given to a player, and all else that the other cannot see drawn anew.

        Args:
            state: Packed state.
            player: Player who gets the hand, 0 or 1.
            hand: One of `hidden_hands`.
            seed: Random seed.

        Raises:
            ValueError: The game has no hidden hands, the player cannot hold this one, or the bytes are no position.
        """
        cdef int whose = _arguments.integer("player", player, 0, 1, "0 or 1")
        cdef Stream stream = make_stream(_arguments.seed(seed), PURPOSE_BELIEF, 0, 0)
        cdef uint64_t given = _arguments.integer("hand", hand, 0, 2**64 - 1)
        if given not in self.hidden_hands(state, whose):
            raise ValueError(f"hand: {given:#x} given, which player {whose} cannot hold here")
        out = bytearray(state)
        cdef uint8_t[::1] view = out
        self.game.deal_hand(&view[0], whose, given, &stream)
        return bytes(out)

    def is_solvable(self, bytes state not None) -> bool:
        """Returns whether `solve` can solve the position."""
        return bool(self.game.is_solvable(self._view(state)))

    def solve(self, bytes state not None, alpha=-1, beta=1) -> tuple:
        """Returns the value for the player to move, -1, 0 or 1, and the id of a best action.

        With a narrower window, a value at or below alpha, or at or above beta, only bounds the true value from that
        side. The action is a best one where the value is exact or at least beta.
        """
        cdef int low = _arguments.integer("alpha", alpha, -1, 0, "-1 or 0")
        cdef int high = _arguments.integer("beta", beta, low + 1, 1, "above alpha, at most 1")
        cdef int16_t best = -1
        self._check_solvable(state)
        value = self.game.solve(self._view(state), low, high, &best)
        return value, best

    def optimal_actions(self, bytes state not None) -> tuple:
        """Returns the value for the player to move, and the ids of all actions that keep it, in increasing order."""
        cdef int16_t actions[256]
        cdef uint8_t optimal[256]
        cdef SolvedRoot root
        self._check_solvable(state)
        root = optimal_actions(self.game, self._view(state), NO_MODEL, actions, optimal)
        return int(root.value), tuple([actions[k] for k in range(root.count) if optimal[k]])

    def best_responses(self, name, bytes state not None) -> tuple:
        """Returns the value, for the player to move, of the best response to an opponent, and all actions that keep it.

        Args:
            name: Name of the built-in opponent on the other side.
            state: Packed state in which nothing is hidden, as few turns before the end as the game's `response_plies`
                says for this opponent.

        Returns:
            The value, -1 to 1: a mean over the opponent's draws. The ids of the best actions, in increasing order.

        Raises:
            ValueError: The game has no such opponent, or the best response cannot be computed in this position.
        """
        cdef int16_t actions[256]
        cdef uint8_t optimal[256]
        cdef SolvedRoot root
        cdef int opponent = self.opponent_number(name)
        self._check_solvable(state)
        if not has_exact_value(self.game, self._view(state), opponent):
            raise ValueError(f"state: too many turns before the end for the best response to {name}")
        root = optimal_actions(self.game, self._view(state), opponent, actions, optimal)
        return root.value, tuple([actions[k] for k in range(root.count) if optimal[k]])

    cdef int _check_solvable(self, bytes state) except -1:
        if self.is_terminal(state):
            raise ValueError("state: the game is over, there is nothing to solve")
        if not self.is_solvable(state):
            raise ValueError(
                f"state: {self.name} cannot solve this position yet (Beasty Bar: both decks must be empty)"
            )
        return 0


cdef int rehearse(GameHandle handle, int games) except -1:
    from sim_core import rehearsal  # needs this module, so only once it is complete

    rehearsal.rehearse(handle, games)
    return 0


cdef GameHandle register_as(
    int interface, size_t struct_size, const Game *game, tuple actions, tuple opponents, tuple observation_layout,
    object parse, object format,
):
    global _registering
    if interface != GAME_INTERFACE or struct_size != sizeof(Game):
        raise ValueError(
            f"game: compiled for interface {interface} with a struct of {struct_size} bytes, expected {GAME_INTERFACE} "
            f"with {sizeof(Game)}; compile it again with this version's sim_core/game.pxd"
        )
    if game.name == NULL:
        raise ValueError("name: missing")
    name = game.name.decode()
    for field, found in (
        ("is_valid", game.is_valid != NULL), ("initial", game.initial != NULL),
        ("legal_actions", game.legal_actions != NULL), ("step", game.step != NULL), ("to_move", game.to_move != NULL),
        ("ply", game.ply != NULL), ("is_terminal", game.is_terminal != NULL), ("outcome", game.outcome != NULL),
        ("scores", game.scores != NULL), ("observe", game.observe != NULL), ("determinize", game.determinize != NULL),
        ("is_solvable", game.is_solvable != NULL), ("solve", game.solve != NULL),
        ("opponent_action", game.opponent_action != NULL),
    ):
        if not found:
            raise ValueError(f"{field}: missing for {name}")
    # search and batch keep buffers of these sizes on their stacks; a batch's plies have 16 bits
    for field, value, highest in (
        ("num_actions", game.num_actions, 256), ("max_legal", game.max_legal, game.num_actions),
        ("state_size", game.state_size, 1024), ("max_plies", game.max_plies, 2**15 - 1),
        ("observation_size", game.observation_size, 2**20), ("version", game.version, 2**31 - 1),
        ("observation_version", game.observation_version, 2**31 - 1),
    ):
        if not 0 < value <= highest:
            raise ValueError(f"{field}: {value} given for {name}, expected 1 to {highest}")
    if (game.hidden_targets == NULL) != (game.hidden_size == 0) or game.hidden_size < 0:
        raise ValueError(
            f"hidden_size: {game.hidden_size} given for {name}, expected 0 where it has no `hidden_targets`"
        )
    given = [
        field for field, found in (
            ("max_hands", game.max_hands != 0), ("hidden_hands", game.hidden_hands != NULL),
            ("hand_likelihoods", game.hand_likelihoods != NULL), ("next_hands", game.next_hands != NULL),
            ("deal_hand", game.deal_hand != NULL),
        ) if found
    ]
    if given and len(given) < 5:
        raise ValueError(f"{given[0]}: given for {name} without all the others that beliefs about hands need")
    if given and not (0 < game.max_hands <= MAX_HANDS and 0 < game.hidden_size <= 64):
        raise ValueError(f"max_hands: {game.max_hands} given for {name} with a hidden_size of {game.hidden_size}, "
                         f"expected 1 to {MAX_HANDS} and 1 to 64")
    if game.response_plies != NULL and game.opponent_policy == NULL:
        raise ValueError(f"response_plies: given for {name}, expected NULL where the game has no `opponent_policy`")
    if name in _GAMES:
        raise ValueError(f"name: a game {name} is registered already")
    if len(actions) != game.num_actions:
        raise ValueError(f"actions: {len(actions)} texts for {game.num_actions} actions of {name}")
    for text in actions:
        if not isinstance(text, str) or text.split() != [text] or actions.count(text) > 1:
            raise ValueError(f"actions: {text!r} given for {name}, expected texts without spaces, each for one action")
    if "random" not in opponents or len(set(opponents)) != len(opponents):
        raise ValueError(
            f"opponents: {opponents} given for {name}, expected names with 'random' among them, none twice"
        )
    if sum([size for _, size in observation_layout]) != game.observation_size:
        raise ValueError(f"observation_layout: sizes do not sum to {game.observation_size} for {name}")
    for field, function in (("parse", parse), ("format", format)):
        if not callable(function):
            raise ValueError(f"{field}: {function!r} given for {name}, expected a function")
    _registering = True
    cdef GameHandle handle = GameHandle.__new__(GameHandle)
    _registering = False
    handle.game = game
    handle.name = name
    handle.actions = actions
    handle.opponents = opponents
    handle.observation_layout = observation_layout
    handle.action_ids = {text: k for k, text in enumerate(actions)}
    handle.parse = parse
    handle.format = format
    rehearse(handle, 4)
    _GAMES[name] = handle
    return handle


def games() -> tuple:
    """Returns the names of the registered games, sorted."""
    return tuple(sorted(_GAMES))


def get_game(name: str) -> GameHandle:
    """Returns the game with this name. Raises ValueError naming all games."""
    cdef GameHandle handle
    try:
        handle = _GAMES[name]
    except (KeyError, TypeError):
        raise ValueError(f"game: {name!r} given, expected one of {', '.join(games())}") from None
    if DEBUG and not handle.rehearsed:
        rehearse(handle, 400)
        handle.rehearsed = True
    return handle
