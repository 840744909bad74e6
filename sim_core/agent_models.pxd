"""Declares agents written in Python as models of the opponent, and what trees and beliefs ask any model."""
from libc.stdint cimport int16_t, uint64_t

from sim_core.game cimport Game, GameHandle
from sim_core.rng cimport Stream
from sim_core.tree_search.solved_roots cimport FIRST_AGENT


cdef class AgentModels:
    cdef object __weakref__
    cdef GameHandle handle
    cdef const Game *game
    cdef dict agents        # by number
    cdef dict answers       # (number, packed state) to the probabilities of the legal actions
    cdef object asking      # held while an agent is asked, so that it answers one question after the other
    cdef object error       # the first one that an agent raised, or that its answer is
    cdef bint failed        # there is an error: no agent is asked any more

    cdef object given(self, int model)
    cdef int check(self) except -1
    cdef int action(self, int model, const void *state, Stream *stream) noexcept nogil
    cdef void likelihoods(
        self, int model, const void *before, int action, const uint64_t *hands, int count, double *likelihoods
    ) noexcept nogil

    cdef void policy(self, int model, const void *state, float *probabilities) noexcept nogil
    cdef bint _probabilities(self, int model, const void *state, int count, double *probabilities) noexcept nogil
    cdef bint _ask(self, int model, const void *state, int count, double *probabilities) noexcept with gil
    cdef int _answer(self, int model, const void *state, int count, double *probabilities) except -1
    cdef list _asked(self, int model, position)


cdef inline int model_action(
    const Game *game, AgentModels agents, int model, const void *state, Stream *stream
) noexcept nogil:
    """Returns the action that a model, of whichever kind, plays."""
    if model < FIRST_AGENT:
        return game.opponent_action(model, state, stream)
    return agents.action(model, state, stream)


cdef inline void model_likelihoods(
    const Game *game, AgentModels agents, int model, const void *before, int action, const uint64_t *hands, int count,
    double *likelihoods
) noexcept nogil:
    """Fills how likely a model, of whichever kind, plays an action with each of these hands."""
    if model < FIRST_AGENT:
        game.hand_likelihoods(model, before, action, hands, count, likelihoods)
    else:
        agents.likelihoods(model, before, action, hands, count, likelihoods)
