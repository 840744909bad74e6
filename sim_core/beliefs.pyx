"""Holds beliefs about the other player's hidden hand, by Bayes' rule over that player's actions.

The posterior over hands is exact, because a hand has few values, and a deck is in random order whatever the hand is.
Each action of the other player multiplies a hand's weight by how likely the opponent plays it with this hand. Then the
card leaves the hand, and each card of the deck is as likely to be drawn. Where the opponent is one of several, weights
are those of hand and opponent together (Southey et al. 2005). One of them may be nobody known: how likely that one
plays an action is told with the action, and is the same for each hand that can play it.
"""
from libc.math cimport log2
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from sim_core import _arguments
from sim_core.protocols import AgentModel
from sim_core.agent_models cimport AgentModels, model_likelihoods
from sim_core.game cimport GameHandle, MAX_HANDS
from sim_core.game import get_game
from sim_core.runner_settings import STRANGER
from sim_core.rng cimport PURPOSE_BELIEF, Stream, make_stream, next_below, next_double
from sim_core.tree_search.solved_roots cimport MAX_OPPONENTS, NO_MODEL, Mixture, mix_one


cdef inline int place_of(const uint64_t *hands, int count, uint64_t hand) noexcept nogil:
    """Returns where a hand is among hands in increasing order."""
    cdef int low = 0, middle
    while count > 1:
        middle = count // 2
        if hands[low + middle] <= hand:
            low += middle
        count -= middle
    return low


cdef int imagined_hands(
    const Game *game, const void *before, int action, Stream *stream, uint64_t *hands
) noexcept nogil:
    """Fills up to IMAGINED different hands with which the player to move can play an action. Returns how many.

    They are drawn uniformly, since what a player that nobody knows has played so far says nothing of its other cards.
    """
    cdef uint64_t held[MAX_HANDS]
    cdef uint64_t reached[MAX_HANDS]
    cdef uint64_t hand
    cdef int count = game.hidden_hands(before, game.to_move(before), held), fitting = 0, k, at
    for k in range(count):
        if game.next_hands(before, action, held[k], reached):
            held[fitting] = held[k]
            fitting += 1
    count = min(fitting, IMAGINED)
    for k in range(count):
        at = k + (<int>next_below(stream, fitting - k) if fitting > IMAGINED else 0)
        hand = held[at]
        held[at] = held[k]
        hands[k] = hand
    return count


cdef class Beliefs:
    """Holds a player's beliefs about the hand of the other player, in each of up to `slots` games.

    Games begin, observe and draw through the functions of C (beliefs.pxd). Slots share nothing that is written.
    `Belief` does the same for a single game.

    Args:
        game: Name of the game.
        slots: Most games at once, up to 100,000,000.
        types: Most opponents that a slot tells apart, 1 to 64.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """

    def __cinit__(self, game, slots, types=1):
        cdef GameHandle handle = get_game(game)
        self.slots = _arguments.integer("slots", slots, 0, 100_000_000)
        self.types = _arguments.integer("types", types, 1, MAX_OPPONENTS)
        handle.check_hands()
        self.handle = handle
        self.game = handle.game
        self.agents = AgentModels(handle)
        self.stranger = STRANGER
        self.uniform = handle.opponents.index("random")
        self.in_use = InUse("beliefs")
        most = self.game.max_hands
        held = np.zeros(self.slots, dtype=np.dtype([
            ("observer", np.intc), ("count", np.intc), ("opponents", np.intc), ("side", np.intc), ("slip", np.double),
            ("lost", np.intc),
        ], align=True))
        held["observer"] = -1
        self.held = held
        self.opponents = np.zeros((self.slots, self.types), dtype=np.int32)
        self.hands = np.zeros((self.slots, 2, most), dtype=np.uint64)
        self.weights = np.zeros((self.slots, 2, most * self.types))

    cdef void begin(self, Py_ssize_t slot, const void *state, int observer, int opponent) noexcept nogil:
        """Begins a game, from the deal or any position: all hands are as likely. The opponent is known."""
        cdef int32_t number = opponent
        self.begin_among(slot, state, observer, &number, 1, 0.0)

    cdef void begin_among(
        self, Py_ssize_t slot, const void *state, int observer, const int32_t *opponents, int count, double slip
    ) noexcept nogil:
        """Begins a game against one of several opponents, each as likely as the others.

        Each is taken to play at random in a share `slip` of its turns. Above 0 no opponent is ever ruled out for ever.
        """
        cdef Held *held = &self.held[slot]
        cdef int k
        held.observer = observer
        held.opponents = count
        held.side = 0
        held.slip = slip
        held.lost = False
        for k in range(count):
            self.opponents[slot, k] = opponents[k]
        held.count = self.game.hidden_hands(state, 1 - observer, &self.hands[slot, 0, 0])
        self._forget(slot)

    cdef void _forget(self, Py_ssize_t slot) noexcept nogil:
        """Makes all hands as likely, and all known opponents, with the share of nobody known."""
        cdef Held *held = &self.held[slot]
        cdef int k, j, known = 0
        cdef double share
        for j in range(held.opponents):
            known += self.opponents[slot, j] != NO_MODEL
        for j in range(held.opponents):
            share = 1.0 / known
            if known < held.opponents:
                share = self.stranger if self.opponents[slot, j] == NO_MODEL else (1.0 - self.stranger) / known
            for k in range(held.count):
                self.weights[slot, held.side, k * held.opponents + j] = share / held.count

    cdef void observe(self, Py_ssize_t slot, const void *before, int action, double other) noexcept nogil:
        """Updates a slot by an action of either player. Those of the observer change nothing.

        `other` is how likely an opponent of number NO_MODEL plays the action with any hand that can.

        Nothing is read from the position before it but what both players see and which cards are not played yet.
        """
        if self.game.to_move(before) == self.held[slot].observer:
            return
        if not self.held[slot].lost:
            self._weigh(slot, before, action, other)
        self._move(slot, before, action)

    cdef void _weigh(self, Py_ssize_t slot, const void *before, int action, double other) noexcept nogil:
        """Updates each weight by how likely the action is, and makes their sum 1. A sum of 0 is a lost game."""
        cdef Held *held = &self.held[slot]
        cdef const uint64_t *hands = &self.hands[slot, held.side, 0]
        cdef double *weights = &self.weights[slot, held.side, 0]
        cdef double likelihoods[MAX_HANDS]
        cdef double slips[MAX_HANDS]
        cdef double total = 0.0
        cdef int k, j
        cdef bint asks = held.slip > 0.0
        for j in range(held.opponents):
            asks = asks or self.opponents[slot, j] == NO_MODEL
        memset(slips, 0, sizeof(slips))
        if asks:
            self.game.hand_likelihoods(self.uniform, before, action, hands, held.count, slips)
        for j in range(held.opponents):
            if self.opponents[slot, j] == NO_MODEL:
                for k in range(held.count):
                    likelihoods[k] = other if slips[k] > 0.0 else 0.0
            else:
                model_likelihoods(
                    self.game, self.agents, self.opponents[slot, j], before, action, hands, held.count, likelihoods
                )
            for k in range(held.count):
                weights[k * held.opponents + j] *= (1.0 - held.slip) * likelihoods[k] + held.slip * slips[k]
                total += weights[k * held.opponents + j]
        if total > 0.0:
            for k in range(held.count * held.opponents):
                weights[k] /= total
        else:
            held.lost = True

    cdef void _move(self, Py_ssize_t slot, const void *before, int action) noexcept nogil:
        """Takes the card from each hand, and draws another."""
        cdef Held *held = &self.held[slot]
        cdef int side = held.side, count = held.count, mover = 1 - held.observer, n, k, j, to, draw
        cdef const uint64_t *hands = &self.hands[slot, side, 0]
        cdef const double *weights = &self.weights[slot, side, 0]
        cdef uint64_t *new_hands = &self.hands[slot, 1 - side, 0]
        cdef double *new_weights = &self.weights[slot, 1 - side, 0]
        cdef uint64_t reached[MAX_HANDS]
        cdef uint64_t room[128]     # aligned for any state's fields
        cdef Stream stream = make_stream(0, PURPOSE_BELIEF, 0, 0)
        cdef int opponents = held.opponents, at = -1
        cdef double weight
        for k in range(count):
            if self.game.next_hands(before, action, hands[k], reached):
                at = k
                break
        if at < 0:
            held.lost = True    # an action that no hand allows
            return
        # the hands afterwards, with one that can play the action: the true one is not asked
        memcpy(room, before, self.game.state_size)
        self.game.deal_hand(room, mover, hands[at], &stream)
        self.game.step(room, action)
        held.count = self.game.hidden_hands(room, mover, new_hands)
        held.side = 1 - side
        if held.lost:
            self._forget(slot)
            return
        memset(new_weights, 0, held.count * opponents * sizeof(double))
        for k in range(at, count):
            weight = 0.0
            for j in range(opponents):
                weight += weights[k * opponents + j]
            if weight == 0.0:
                continue
            n = self.game.next_hands(before, action, hands[k], reached)
            for draw in range(n):
                to = place_of(new_hands, held.count, reached[draw])
                for j in range(opponents):
                    new_weights[to * opponents + j] += weights[k * opponents + j] / n

    cdef int draw(self, Py_ssize_t slot, void *state, Stream *stream) noexcept nogil:
        """Replaces what is hidden from the observer in `state` by a draw from its beliefs.

        Returns the number of the opponent that was drawn with the hand, NO_MODEL where the game is lost.
        """
        cdef Held *held = &self.held[slot]
        cdef const double *weights = &self.weights[slot, held.side, 0]
        cdef double left = next_double(stream)
        cdef int k, drawn = 0
        for k in range(held.count * held.opponents):
            if weights[k] > 0.0:
                drawn = k
                left -= weights[k]
                if left < 0.0:
                    break
        self.game.deal_hand(state, 1 - held.observer, self.hands[slot, held.side, drawn // held.opponents], stream)
        return NO_MODEL if held.lost else self.opponents[slot, drawn % held.opponents]

    cdef double _hand_weight(self, Py_ssize_t slot, int hand) noexcept nogil:
        """Returns how likely a hand is, whoever the opponent is."""
        cdef Held *held = &self.held[slot]
        cdef double total = 0.0
        cdef int k
        for k in range(hand * held.opponents, (hand + 1) * held.opponents):
            total += self.weights[slot, held.side, k]
        return total

    cdef void hand_probabilities(self, Py_ssize_t slot, float *probabilities) noexcept nogil:
        """Fills, for each of the game's `hidden_size` cards, how likely it is in the other player's hand."""
        cdef double totals[64]
        cdef double weight
        cdef uint64_t hand
        cdef int k, card
        memset(totals, 0, sizeof(totals))
        for k in range(self.held[slot].count):
            weight = self._hand_weight(slot, k)
            hand = self.hands[slot, self.held[slot].side, k]
            for card in range(self.game.hidden_size):
                if hand >> card & 1:
                    totals[card] += weight
        for card in range(self.game.hidden_size):
            probabilities[card] = <float>totals[card]

    cdef void mixture(self, Py_ssize_t slot, Mixture *mixture) noexcept nogil:
        """Fills who the other player may be. In a lost game it is none of the opponents that were told apart."""
        if self.held[slot].lost:
            mix_one(mixture, NO_MODEL)
        else:
            self.shares(slot, mixture)

    cdef void shares(self, Py_ssize_t slot, Mixture *mixture) noexcept nogil:
        """Fills how likely each of the slot's opponents is."""
        cdef Held *held = &self.held[slot]
        cdef double total = 0.0
        cdef int j, k
        mixture.count = held.opponents
        for j in range(held.opponents):
            mixture.models[j] = self.opponents[slot, j]
            mixture.shares[j] = 0.0
            for k in range(held.count):
                mixture.shares[j] += self.weights[slot, held.side, k * held.opponents + j]
            total += mixture.shares[j]
        for j in range(held.opponents):
            mixture.shares[j] /= total

    cdef double entropy(self, Py_ssize_t slot) noexcept nogil:
        """Returns how much is not known of the hand, in bits."""
        cdef double total = 0.0, weight
        cdef int k
        for k in range(self.held[slot].count):
            weight = self._hand_weight(slot, k)
            if weight > 0.0:
                total -= weight * log2(weight)
        return max(total, 0.0)

    cdef bint is_lost(self, Py_ssize_t slot) noexcept nogil:
        """Returns whether an action was seen that no hand and no opponent explains. Beliefs are uniform after it."""
        return self.held[slot].lost

    cdef bint is_of(self, Py_ssize_t slot, int player) noexcept nogil:
        """Returns whether a slot was begun, and holds what this player believes."""
        return self.held[slot].count > 0 and self.held[slot].observer == player


cdef class Belief:
    """Holds what a player believes about the hand of the other player, given who that may be.

    Args:
        game: Name of the game.
        state: Packed state to begin from, usually the deal. All hands are as likely there.
        observer: The player who believes, 0 or 1.
        opponents: Name of the built-in opponent that the other player is, or several names, each as likely at first.
            None among several: it is none of them, which is as likely as that it is one. In place of a name an
            `AgentModel` stands for itself.
        slip: Share of its turns in which each opponent is taken to play at random, 0 to 1. Above 0 no opponent and no
            hand that can play what was played is ever ruled out.
        beliefs: Memory of many games, in which it takes a slot. None: its own memory.
        slot: Slot of `beliefs`.

    Raises:
        ValueError: Names the argument, the value and what would be right.
        RuntimeError: Another thread uses the beliefs now.
    """

    def __cinit__(self, game, bytes state not None, observer, opponents, slip=0.0, Beliefs beliefs=None, slot=0):
        cdef GameHandle handle = get_game(game)
        names = (opponents,) if isinstance(opponents, (str, AgentModel)) else tuple(opponents)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"opponents: {opponents!r} given, expected one name or several, none twice")
        if names == (None,):
            raise ValueError("opponents: (None,) given, expected at least one name beside it")
        if not 0 <= slip <= 1:
            raise ValueError(f"slip: {slip!r} given, expected 0 to 1")
        for name in names:
            if isinstance(name, str):
                handle.opponent_number(name)
        self.observer = _arguments.integer("observer", observer, 0, 1, "0 or 1")
        self.beliefs = Beliefs(game, 1, len(names)) if beliefs is None else beliefs
        self.slot = _arguments.integer("slot", slot, 0, self.beliefs.slots - 1)
        if self.beliefs.handle is not handle or self.beliefs.types < len(names):
            raise ValueError(f"beliefs: of {self.beliefs.handle.name} with room for {self.beliefs.types} opponents, "
                             f"expected {handle.name} and {len(names)}")
        self.beliefs.in_use.check(True)
        cdef int32_t[::1] numbers = self.beliefs.agents.numbers(names)
        self.beliefs.begin_among(self.slot, handle._view(state), self.observer, &numbers[0], len(names), slip)

    cdef int _follow(self, const uint8_t *view, uint64_t *hands) except -1:
        """Fills the hands that a position allows. Raises ValueError if they are others: a turn was left out."""
        cdef int count = self.beliefs.game.hidden_hands(view, 1 - self.observer, hands), k
        if self.hands()[0].tolist() != [hands[k] for k in range(count)]:
            raise ValueError(f"state: ply {self.beliefs.game.ply(view)} does not follow from the turns observed so far")
        return count

    cdef bint _knows_all(self) noexcept:
        """Returns whether the other player is one of the known opponents for sure."""
        cdef int k
        for k in range(self.beliefs.held[self.slot].opponents):
            if self.beliefs.opponents[self.slot, k] == NO_MODEL:
                return False
        return True

    def imagine(self, bytes state not None, action, seed, stream=0) -> list:
        """Returns positions in which an opponent that is none of the known ones may have chosen an action.

        The mean probability with which it plays the action in them is what `observe` takes as `other`.

        Args:
            state: Packed state before the action. Nothing is read from it that the observer cannot see.
            action: Id of the action.
            seed: Random seed.
            stream: Number of the game's random stream. A runner draws the same hands, from its `learner_seed`.

        Returns:
            Packed states, at most 16, each with another hand that can play the action; none where no hand can.
        """
        cdef GameHandle handle = self.beliefs.handle
        cdef const uint8_t *view = handle._view(state)
        cdef int number = _arguments.integer("action", action, 0, handle.game.num_actions - 1), k
        cdef Stream drawn = make_stream(
            _arguments.seed(seed), PURPOSE_BELIEF, _arguments.integer("stream", stream, 0, 2**63 - 1),
            handle.game.ply(view),
        )
        cdef uint64_t hands[IMAGINED]
        cdef uint8_t[::1] into
        found = []
        for k in range(imagined_hands(handle.game, view, number, &drawn, hands)):
            found.append(bytearray(state))
            into = found[k]
            handle.game.deal_hand(&into[0], handle.game.to_move(view), hands[k], &drawn)
        return [bytes(position) for position in found]

    def observe(self, bytes state not None, action, other=None) -> None:
        """Updates the beliefs by an action. Every turn of the game is to be told, in order; own turns change nothing.

        Args:
            state: Packed state before the action. Nothing is read from it that the observer cannot see.
            action: Id of the action.
            other: How likely an opponent that is none of the known ones plays this action with a hand that can, above 0
                and at most 1. Needed where the opponents have None among them and the other player moves.

        Raises:
            ValueError: The position does not follow from the turns observed so far, or no hand that the other player
                may hold can play the action, or `other` is missing or out of range.
            Exception: What an agent among the opponents raised. The beliefs are spoiled then, and raise it again.
        """
        cdef GameHandle handle = self.beliefs.handle
        cdef const uint8_t *view = handle._view(state)
        cdef int number = _arguments.integer("action", action, 0, handle.game.num_actions - 1)
        cdef double likelihoods[MAX_HANDS]
        cdef uint64_t hands[MAX_HANDS]
        cdef int count, k
        self.beliefs.in_use.check(True)
        if handle.game.to_move(view) == self.observer:
            return
        count = self._follow(view, hands)
        handle.game.hand_likelihoods(self.beliefs.uniform, view, number, hands, count, likelihoods)
        if not any([likelihoods[k] > 0 for k in range(count)]):
            raise ValueError(f"action: {handle.actions[number]} (id {number}) is possible with no hand here")
        if not self._knows_all() and (other is None or not 0 < other <= 1):
            raise ValueError(f"other: {other!r} given, expected above 0 and at most 1, as None is among the opponents")
        self.beliefs.observe(self.slot, view, number, 1.0 if other is None else other)
        self.beliefs.agents.check()

    def draw(self, bytes state not None, seed) -> tuple:
        """Draws what is hidden in a position of the game from what is believed.

        Args:
            state: Packed state. Nothing is read from it that the observer cannot see.
            seed: Random seed.

        Returns:
            The packed state with the other player's hand and both decks drawn anew, and the opponent, as it was given,
            that was drawn with the hand. None: it is none of the known ones, or the beliefs are lost.

        Raises:
            ValueError: The position does not follow from the turns observed so far.
        """
        cdef GameHandle handle = self.beliefs.handle
        cdef Stream stream = make_stream(_arguments.seed(seed), PURPOSE_BELIEF, 0, 0)
        cdef uint64_t hands[MAX_HANDS]
        self._follow(handle._view(state), hands)
        out = bytearray(state)
        cdef uint8_t[::1] view = out
        cdef int opponent = self.beliefs.draw(self.slot, &view[0], &stream)
        return bytes(out), self.beliefs.agents.given(opponent)

    def hands(self) -> tuple:
        """Returns the hands that the other player may hold, and how likely each is.

        Returns:
            Sets of cards, uint64 [k] in increasing order, in which bit i is card i of `hidden_targets`, and their
            probabilities, float64 [k].
        """
        self.beliefs.in_use.check(False)
        cdef Held held = self.beliefs.held[self.slot]
        masks = np.array(self.beliefs.hands[self.slot, held.side, :held.count])
        joint = np.array(self.beliefs.weights[self.slot, held.side, :held.count * held.opponents])
        return masks, joint.reshape(held.count, held.opponents).sum(axis=1)

    def card_probabilities(self):
        """Returns how likely each card is in the other player's hand, float32 [hidden_size]."""
        out = np.empty(self.beliefs.game.hidden_size, dtype=np.float32)
        cdef float[::1] view = out
        self.beliefs.in_use.check(False)
        self.beliefs.hand_probabilities(self.slot, &view[0])
        return out

    def opponent_probabilities(self) -> dict:
        """Returns how likely the other player is each of the opponents, as they were given. None: none of them."""
        cdef Mixture mixture
        cdef int k
        self.beliefs.in_use.check(False)
        self.beliefs.shares(self.slot, &mixture)
        return {self.beliefs.agents.given(mixture.models[k]): mixture.shares[k] for k in range(mixture.count)}

    def entropy(self) -> float:
        """Returns how much is not known of the hand, in bits."""
        self.beliefs.in_use.check(False)
        return self.beliefs.entropy(self.slot)

    @property
    def is_lost(self) -> bool:
        """Returns whether an action was seen that no hand and no opponent explains. Beliefs are uniform after it."""
        self.beliefs.in_use.check(False)
        return bool(self.beliefs.is_lost(self.slot))
