"""Holds what the learners of a runner's games expect of the other side, and draws conclusions from its actions.

A learner expects nobody in particular, or is told who plays, or always expects the same opponent, or finds out: then
the posterior is over known built-in opponents and none of them (Southey et al. 2005). What none of them would play is
what the learner's own network would, mixed with random play, in a mean over hands.
"""
from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memcpy, memset

import numpy as np

from sim_core import runner_settings
from sim_core.beliefs cimport IMAGINED, Beliefs, imagined_hands
from sim_core.game cimport GameHandle
from sim_core.rng cimport Stream
from sim_core.tree_search.solved_roots cimport FIRST_AGENT, NO_MODEL, Mixture, mix_one

question = np.dtype([
    ("hands", np.uint64, IMAGINED), ("count", np.intc), ("asked", np.intc), ("total", np.double),
    ("stream", [("key", np.uint64), ("counter", np.uint64)]),
], align=True)

cdef double UNIFORM = runner_settings.UNIFORM


cpdef double unknown_plays(double probability, int legal) noexcept nogil:
    """Returns how likely an opponent that is none of the known ones plays an action in a position.

    Args:
        probability: How likely the network of whoever infers plays it there.
        legal: Number of legal actions.
    """
    return (1.0 - UNIFORM) * probability + UNIFORM / legal


cdef class Expectations:
    """Holds the expectations of the learners in up to `slots` games.

    Args:
        handle: The game.
        slots: Most games at once.
        settings: `RunnerSettings`, of which the model and the known opponents are read.

    Raises:
        ValueError: The game has no such opponent, or nothing by which to tell opponents apart.
    """

    def __cinit__(self, GameHandle handle not None, Py_ssize_t slots, settings not None):
        model = settings.opponent_model
        runner_settings.check_opponent_model(model, handle)
        known = runner_settings.checked_known_opponents(settings.known_opponents, handle)
        if model == "infer" and not known:
            model = "none"
        self.game = handle.game
        self.opponents = len(handle.opponents)
        self.slip = runner_settings.SLIP
        self.told = model == "told"
        self.infers = model == "infer"
        self.assumed = handle.opponents.index(model) if model in handle.opponents else NO_MODEL
        self.among = np.array(
            [*map(handle.opponents.index, known), NO_MODEL] if self.infers else [], dtype=np.int32
        )
        self.beliefs = None
        if model != "none" and self.game.max_hands:
            self.beliefs = Beliefs(handle.name, slots, max(1, len(self.among)))
        self.believes = np.zeros(slots, dtype=np.uint8)
        self.expected = np.full(slots, NO_MODEL, dtype=np.int32)
        self.answered = np.full(slots, NO_MODEL, dtype=np.int32)
        self.questions = np.zeros(slots, dtype=question)
        self.imagined = np.zeros((slots, self.game.state_size), dtype=np.uint8)

    cdef void begin(self, Py_ssize_t slot, const uint8_t *state, int searcher, int opponent) noexcept nogil:
        """Begins a game of the learner, `searcher`, against an opponent: its number, NO_MODEL or SELF_PLAY."""
        cdef bint known = opponent != SELF_PLAY
        if opponent >= FIRST_AGENT and not self.told:
            opponent = NO_MODEL
        self.expected[slot] = NO_MODEL
        if known:
            self.expected[slot] = opponent if self.told else self.assumed
        self.answered[slot] = opponent if known and self._tells_apart(opponent) else self.expected[slot]
        self.believes[slot] = self.beliefs is not None and known and (self.infers or self.expected[slot] != NO_MODEL)
        if not self.believes[slot]:
            return
        if self.infers:
            self.beliefs.begin_among(slot, state, searcher, &self.among[0], <int>self.among.shape[0], self.slip)
        else:
            self.beliefs.begin(slot, state, searcher, self.expected[slot])

    cdef bint _tells_apart(self, int opponent) noexcept nogil:
        """Returns whether the learner can find out that it plays an opponent."""
        cdef Py_ssize_t k
        for k in range(self.among.shape[0]):
            if self.among[k] == opponent:
                return True
        return False

    cdef int model(self, Py_ssize_t slot) noexcept nogil:
        """Returns the number of the one opponent that the learner expects, or NO_MODEL.

        NO_MODEL also stands where that opponent would not have played as the other side did.
        """
        if self.believes[slot] and self.beliefs.is_lost(slot):
            return NO_MODEL
        return self.expected[slot]

    cdef int target(self, Py_ssize_t slot) noexcept nogil:
        """Returns the number of the opponent that the learned exact values are those against, or NO_MODEL.

        A learner that infers learns the value against the opponent that it plays, or NO_MODEL where that is none of the
        known ones: in the mean that is the posterior's.
        """
        return self.answered[slot] if self.infers else self.model(slot)

    cdef void mixture(self, Py_ssize_t slot, Mixture *mixture) noexcept nogil:
        """Fills the opponents that the learner expects."""
        if self.infers and self.believes[slot]:
            self.beliefs.mixture(slot, mixture)
        else:
            mix_one(mixture, self.model(slot))

    cdef void tell(self, Py_ssize_t slot, bint learner, float *condition, int size) noexcept nogil:
        """Writes what the network is told of the learner's positions: who plays the other side, with which cards.

        Of the other side's positions it is told nothing.
        """
        cdef Mixture mixture
        cdef double known = 0.0
        cdef int j
        memset(condition, 0, size * sizeof(float))
        if not learner:
            return
        self.mixture(slot, &mixture)
        for j in range(mixture.count):
            if 0 <= mixture.models[j] < min(self.opponents, size):
                condition[mixture.models[j]] = <float>mixture.shares[j]
                known += mixture.shares[j]
        if self.believes[slot] and size > self.opponents:
            self.beliefs.hand_probabilities(slot, condition + self.opponents)
            for j in range(self.opponents, size):
                condition[j] *= <float>known

    # -- the other side's actions ------------------------------------------------------------------------------------

    cdef bint wonders(self, Py_ssize_t slot) noexcept nogil:
        """Returns whether the learner asks itself which opponent it plays."""
        return self.infers and self.believes[slot] and not self.beliefs.is_lost(slot)

    cdef bint asks(self, Py_ssize_t slot, const uint8_t *state, int action, Stream stream) noexcept nogil:
        """Returns whether the network is to be asked what none of the known opponents would play, see `imagine`."""
        cdef Question *question = &self.questions[slot]
        if not self.wonders(slot):
            return False
        question.count = imagined_hands(self.game, state, action, &stream, question.hands)
        question.asked = 0
        question.total = 0.0
        question.stream = stream
        return question.count > 0

    cdef const uint8_t *imagine(self, Py_ssize_t slot, const uint8_t *state) noexcept nogil:
        """Returns the next position to ask about: the other side's, with a hand that can play its action."""
        cdef Question *question = &self.questions[slot]
        cdef uint8_t *position = &self.imagined[slot, 0]
        memcpy(position, state, self.game.state_size)
        self.game.deal_hand(position, self.game.to_move(state), question.hands[question.asked], &question.stream)
        return position

    cdef bint take(
        self, Py_ssize_t slot, const uint8_t *state, int action, float probability, int legal
    ) noexcept nogil:
        """Takes the network's probability of the action in the imagined position, one of `legal`.

        Returns whether there is another position to ask about. If not, the learner has drawn its conclusions.
        """
        cdef Question *question = &self.questions[slot]
        question.total += unknown_plays(probability, legal)
        question.asked += 1
        if question.asked < question.count:
            return True
        self.beliefs.observe(slot, state, action, question.total / question.count)
        return False

    cdef void observe(self, Py_ssize_t slot, const uint8_t *state, int action) noexcept nogil:
        """Lets the learner draw its conclusions from the other side's action, where nothing is to be asked."""
        if self.believes[slot]:
            self.beliefs.observe(slot, state, action, 1.0)
