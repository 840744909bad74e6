from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

class GameHandle:
    """Offers a registered game to Python: its facts, and its rules over states given as bytes."""

    name: str
    """Name under which the game is registered."""
    version: int
    """Version of rules and action ids. Checkpoints of another version are refused."""
    observation_version: int
    """Version of the observation's layout. Checkpoints of another version are refused."""
    state_size: int
    """Bytes of a packed state."""
    num_actions: int
    """Number of action ids, A."""
    max_legal: int
    """Most legal actions that any position has."""
    max_plies: int
    """Most turns that any game has."""
    observation_size: int
    """Numbers in an observation."""
    hidden_size: int
    """Number of questions that `hidden_targets` answers. 0: nothing is hidden."""
    margin_scale: int
    """Unit, about its usual size, in which the difference of scores is learned."""
    deals_at_random: bool
    """Whether the deal draws anything. Where it does not, all games begin alike."""
    actions: tuple[str, ...]
    """Text of each action, by id."""
    opponents: tuple[str, ...]
    """Names of the built-in opponents, by number."""
    observation_layout: tuple[tuple[str, int], ...]
    """Meaning and size of each part of an observation, in order."""
    action_ids: dict[str, int]
    """Id of each action, by text."""
    parse: Callable[[str], bytes]
    """Parses a position's text into a packed state."""
    format: Callable[[bytes], str]
    """Returns the text of a packed state."""

    def is_valid(self, state: bytes) -> bool:
        """Returns whether the bytes are a packed state. Every other method refuses bytes that are not."""
    def initial(self, seed: int, first_player: int = 0, stream_number: int = 0) -> bytes:
        """Returns the deal of stream `stream_number` of a seed, with this player to begin."""
    def legal_actions(self, state: bytes) -> tuple[int, ...]:
        """Returns the ids of the legal actions in increasing order. There are none when the game is over."""
    def step(self, state: bytes, action: int) -> bytes:
        """Returns the state after the mover's whole turn. Raises ValueError if the action is not legal."""
    def determinize(self, state: bytes, seed: int) -> bytes:
        """Returns a random state, drawn uniformly from those that look the same to the player to move."""
    def to_move(self, state: bytes) -> int:
        """Returns the player to move, 0 or 1."""
    def ply(self, state: bytes) -> int:
        """Returns the number of turns taken."""
    def is_terminal(self, state: bytes) -> bool:
        """Returns whether the game is over."""
    def outcome(self, state: bytes, player: int) -> int:
        """Returns the outcome for `player` as the game stands: -1, 0 or 1."""
    def scores(self, state: bytes) -> tuple[int, int]:
        """Returns both players' scores as the game stands."""
    def observe(self, state: bytes) -> NDArray[np.float32]:
        """Returns what the player to move may know, float32 [observation_size]."""
    def hidden_targets(self, state: bytes) -> NDArray[np.int8]:
        """Returns what the mover cannot see, int8 [hidden_size]: 1 or 0, -1 where there is nothing to guess."""
    def opponent_policy(self, name: str, state: bytes) -> NDArray[np.float32]:
        """Returns the probability of each action with which an opponent plays it, float32 [A].

        Args:
            name: Name of the built-in opponent.
            state: Packed state. When the game is over, all probabilities are 0.

        Raises:
            ValueError: The game has no such opponent or does not say how likely its actions are, or the bytes are no
                position.
        """
    @property
    def has_hidden_hands(self) -> bool:
        """Returns whether the game tells which hands a player may hold, so that beliefs about them can be had."""
    def hidden_hands(self, state: bytes, player: int) -> NDArray[np.uint64]:
        """Returns the hands that a player may hold for all that the other knows, uint64 [k] in increasing order.

        A hand is a set: its bit i is question i of `hidden_targets`.

        Args:
            state: Packed state.
            player: Player who holds the hand, 0 or 1.

        Raises:
            ValueError: The game has no hidden hands, or the bytes are no position.
        """
    def hand_likelihoods(self, name: str, state: bytes, action: int) -> NDArray[np.float64]:
        """Returns how likely an opponent plays an action with each hand that the player to move may hold, float64 [k].

        Args:
            name: Name of the built-in opponent that is to move.
            state: Packed state. Which of the mover's cards are in its hand makes no difference.
            action: Id of the action.

        Raises:
            ValueError: The game has no hidden hands or no such opponent or action, or the bytes are no position.
        """
    def deal_hand(self, state: bytes, player: int, hand: int, seed: int) -> bytes:
        """Returns the state with this hand given to a player, and all else that the other cannot see drawn anew.

        Args:
            state: Packed state.
            player: Player who gets the hand, 0 or 1.
            hand: One of `hidden_hands`.
            seed: Random seed.

        Raises:
            ValueError: The game has no hidden hands, the player cannot hold this one, or the bytes are no position.
        """
    def is_solvable(self, state: bytes) -> bool:
        """Returns whether `solve` can solve the position."""
    def solve(self, state: bytes, alpha: int = -1, beta: int = 1) -> tuple[int, int]:
        """Returns the value for the player to move, -1, 0 or 1, and the id of a best action.

        With a narrower window, a value at or below alpha, or at or above beta, only bounds the true value from that
        side. The action is a best one where the value is exact or at least beta.
        """
    def optimal_actions(self, state: bytes) -> tuple[int, tuple[int, ...]]:
        """Returns the value for the player to move, and the ids of all actions that keep it, in increasing order."""
    def best_responses(self, name: str, state: bytes) -> tuple[float, tuple[int, ...]]:
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

def games() -> tuple[str, ...]:
    """Returns the names of the registered games, sorted."""
def get_game(name: str) -> GameHandle:
    """Returns the game with this name. Raises ValueError naming all games."""
