"""Lets agents written in Python stand for the opponent in trees and beliefs, which work without the interpreter's lock.

An agent is asked under that lock, by one thread at a time, in positions in which all that is hidden from the searcher
has been drawn anew. What it raises, and an answer that is no distribution over legal actions, cannot be raised in the
middle of a search. It is kept: from then on no agent is asked, any legal action stands for an answer, and `check`
raises it before anything comes of that.
"""
from libc.stdint cimport int16_t, uint64_t
from libc.string cimport memcpy, memset

import itertools
import threading
from collections.abc import Mapping
from weakref import WeakValueDictionary

import numpy as np

from sim_core.game cimport GameHandle
from sim_core.rng cimport PURPOSE_BELIEF, Stream, make_stream, next_double
from sim_core.tree_search cimport solved_roots
from sim_core.tree_search.solved_roots cimport NO_MODEL
from sim_core.protocols import AgentModel
from sim_core.state import State

cdef object _numbers = itertools.count(FIRST_AGENT)
cdef object _owners = WeakValueDictionary()     # of the agents, by number
cdef int MAX_ANSWERS = 10_000   # that are remembered
cdef double TOLERANCE = 1e-3    # by which the sum of an agent's probabilities may differ from 1


cdef class AgentModels:
    """Numbers opponents that search and beliefs may expect, agents among them, and asks these agents.

    An agent's number is that of no other agent in the process, so that values which are remembered by it stay true.

    Args:
        handle: The game.
    """

    def __cinit__(self, GameHandle handle not None):
        self.handle = handle
        self.game = handle.game
        self.agents = {}
        self.answers = {}
        self.asking = threading.RLock()     # an agent that leads back here recurses, in place of waiting

    def numbers(self, opponents):
        """Returns the number of each opponent, int32 [k]. An agent that is new gets the next number.

        Args:
            opponents: For each, the name of a built-in one, an `AgentModel`, or None: it is unknown (number -1).

        Raises:
            ValueError: The game has no opponent of this name.
        """
        found = []
        for given in opponents:
            if given is None:
                found.append(NO_MODEL)
            elif isinstance(given, str) and given in self.handle.opponents:
                found.append(self.handle.opponents.index(given))
            elif isinstance(given, AgentModel):
                found.append(self._number(given))
            else:
                known = ", ".join(self.handle.opponents)
                raise ValueError(f"opponents: {given!r} given, {self.handle.name} has {known}")
        return np.array(found, dtype=np.int32)

    def _number(self, given) -> int:
        for number, agent in self.agents.items():
            if agent is given:
                return number
        number = next(_numbers)
        self.agents[number] = given
        _owners[number] = self
        return number

    cdef object given(self, int model):
        """Returns the opponent of a number as `numbers` takes it."""
        if model == NO_MODEL:
            return None
        return self.agents[model] if model >= FIRST_AGENT else self.handle.opponents[model]

    cdef int check(self) except -1:
        """Raises the first error of an agent, now and whenever it is called again."""
        if self.failed:
            raise self.error
        return 0

    cdef int action(self, int model, const void *state, Stream *stream) noexcept nogil:
        """Returns an action drawn from an agent's probabilities. One that is certain takes no draw."""
        cdef int16_t actions[256]
        cdef double probabilities[256]
        cdef int count = self.game.legal_actions(state, actions), k, chosen = 0
        cdef double left
        if not self._probabilities(model, state, count, probabilities):
            return actions[0]
        for k in range(count):
            if probabilities[k] == 1.0:
                return actions[k]
        left = next_double(stream)
        for k in range(count):
            if probabilities[k] > 0.0:
                chosen = k
                left -= probabilities[k]
                if left < 0.0:
                    break
        return actions[chosen]

    cdef void policy(self, int model, const void *state, float *probabilities) noexcept nogil:
        """Fills how likely an agent plays each action id, see `Game.opponent_policy`."""
        cdef int16_t actions[256]
        cdef double found[256]
        cdef int count = self.game.legal_actions(state, actions), k
        memset(probabilities, 0, self.game.num_actions * sizeof(float))
        if self._probabilities(model, state, count, found):
            for k in range(count):
                probabilities[actions[k]] = <float>found[k]

    cdef void likelihoods(
        self, int model, const void *before, int action, const uint64_t *hands, int count, double *likelihoods
    ) noexcept nogil:
        """Fills how likely an agent that is to move plays the action with each of these hands, see `Game`."""
        cdef uint64_t room[128]     # aligned for any state's fields
        cdef int16_t actions[256]
        cdef double probabilities[256]
        cdef Stream stream = make_stream(0, PURPOSE_BELIEF, 0, 0)
        cdef int mover = self.game.to_move(before), k, j, legal
        for k in range(count):
            likelihoods[k] = 0.0
            memcpy(room, before, self.game.state_size)
            self.game.deal_hand(room, mover, hands[k], &stream)
            legal = self.game.legal_actions(room, actions)
            for j in range(legal):
                if actions[j] == action and self._probabilities(model, room, legal, probabilities):
                    likelihoods[k] = probabilities[j]

    cdef bint _probabilities(self, int model, const void *state, int count, double *probabilities) noexcept nogil:
        """Fills how likely an agent plays each of the legal actions. Returns False if there has been an error.

        Where there is no choice it is not asked.
        """
        if count == 1:
            probabilities[0] = 1.0
            return True
        return not self.failed and self._ask(model, state, count, probabilities)

    cdef bint _ask(self, int model, const void *state, int count, double *probabilities) noexcept with gil:
        try:
            with self.asking:
                if not self.failed:
                    self._answer(model, state, count, probabilities)
        except BaseException as error:
            self.error = error
            self.failed = True
        return not self.failed

    cdef int _answer(self, int model, const void *state, int count, double *probabilities) except -1:
        """Fills an agent's probabilities. Near the end of a game the same positions are met again and again."""
        cdef int k
        key = model, (<const char *>state)[:self.game.state_size]
        if key not in self.answers:
            if len(self.answers) == MAX_ANSWERS:
                self.answers.clear()
            self.answers[key] = self._asked(model, State(key[1], self.handle.name))
        answer = self.answers[key]
        for k in range(count):
            probabilities[k] = answer[k]
        return 0

    cdef list _asked(self, int model, position):
        """Returns an agent's probabilities of the legal actions. Raises ValueError if they are none."""
        cdef double by_id[256]
        cdef double total = 0.0, probability
        agent, legal = self.agents[model], position.legal_actions()
        given = agent.action_probabilities(position)
        if not isinstance(given, Mapping):
            kind = f"{given!r} of type {type(given).__name__}"
            raise _wrong(agent, position, kind, "expected a mapping from legal actions to probabilities")
        memset(by_id, 0, sizeof(by_id))
        for action, share in given.items():
            if action not in legal:
                raise _wrong(agent, position, f"a probability of {action!r}", f"legal are {' '.join(map(str, legal))}")
            try:
                probability = share
            except (TypeError, ValueError):
                probability = -1.0
            if not 0.0 <= probability <= 1.0 + TOLERANCE:
                raise _wrong(agent, position, f"{share!r} for {action}", "expected a probability from 0 to 1")
            by_id[<int>action.id] = probability
            total += probability
        if not 1.0 - TOLERANCE <= total <= 1.0 + TOLERANCE:
            raise _wrong(agent, position, f"probabilities that sum to {total:.6g}", "expected 1")
        return [by_id[<int>action.id] / total for action in legal]


cdef void _policy_of(int model, const void *state, float *probabilities) noexcept with gil:
    """Fills how likely the agent of a number plays each action id. It is asked through whoever numbered it."""
    cdef AgentModels owner = _owners[model]
    owner.policy(model, state, probabilities)


solved_roots.agent_policy = _policy_of


def _wrong(agent, position, str returned, str right) -> ValueError:
    name = getattr(agent, "name", type(agent).__name__)
    return ValueError(f"opponent {name}: action_probabilities returned {returned} at '{position}', {right}")
