"""Declares the search trees of many games in one slab: memory layout, and what search and game runner call."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

from sim_core.agent_models cimport AgentModels
from sim_core.beliefs cimport Beliefs
from sim_core.game cimport Game, GameHandle
from sim_core.in_use cimport InUse
from sim_core.rng cimport Stream


cdef extern from *:
    void __builtin_prefetch(const void *) noexcept nogil


cdef enum:
    ROOT_PUCT = 0
    ROOT_GUMBEL = 1
    MAX_CONSIDERED = 16     # actions that sequential halving may start from
    KNOWN_LEAVES = 256      # solved leaves that a slot remembers, a power of two


cdef struct Edge:
    float prior         # of the network, with noise at the root
    float value_sum     # for the player to move at the edge's node
    int32_t visits      # descents through the edge
    int32_t child       # first node behind it, -1: not visited yet
    int32_t next_edge   # of the same node, -1: the last
    int32_t available   # descents through the node in which the action was legal
    int32_t action      # its id


cdef struct KnownLeaf:
    uint64_t key        # hash of the state, and of the model and the searcher where there is a model
    double value        # for the player to move; 0 with a key of 0: none


cdef struct Node:
    uint64_t key        # what only the player to move knows, and the model's replies; 0 where nodes are shared
    int32_t first_edge  # -1: not expanded
    int32_t next_node   # behind the same edge, with another key; -1: the last
    int32_t evaluations # of the network
    float value_sum     # of the evaluations, for the player to move


cdef struct Tree:
    Stream stream           # of this search's random numbers
    const uint8_t *root_state   # the caller's; must stay valid until `finish`
    int32_t model           # number of the opponent that plays the other side, -1: the searcher's own network
    bint believes           # hidden cards and model are drawn from the slot's beliefs
    int32_t searcher        # player to move at the root
    int32_t nodes           # used so far
    int32_t edges           # used so far
    int32_t root_edges      # edges of the root, the slab's first
    int32_t done            # simulations finished; -1 until the root is evaluated
    int32_t path_size       # edges from the root to the leaf
    int32_t leaf            # its node
    int32_t leaf_legal      # legal actions there
    float leaf_value        # for the player to move at the leaf


cdef struct Settings:
    # `SearchSettings` for C, which explains each
    int simulations         # per search
    float c_puct
    float dirichlet_fraction
    double dirichlet_alpha
    int root_selection      # ROOT_PUCT or ROOT_GUMBEL
    bint private_nodes      # nodes are split by what only their player to move knows
    bint availability       # PUCT counts an action's availability in place of its node's visits
    bint exact_leaves       # solvable leaves get the solver's value in place of the network's
    bint completed_q        # the policy target is completed Q's in place of visit shares
    float gumbel_scale      # of the root's Gumbel noise; 0: none
    int max_considered      # actions that sequential halving starts from
    float c_visit
    float c_scale


cdef class Trees:
    cdef readonly GameHandle handle
    cdef const Game *game
    cdef readonly Py_ssize_t slots
    cdef readonly int capacity      # simulations that there is room for
    cdef Settings settings
    cdef Beliefs beliefs            # of the searchers that have some, by slot; None: nobody has
    cdef AgentModels agents         # that play the other side in some searches; None: in none
    cdef bint fixed                 # roots are not determinized, because what is hidden has been drawn already
    cdef int max_nodes, max_edges, max_path
    cdef InUse in_use
    cdef int64_t owner              # number of the runner or search that took the trees last
    cdef object slabs               # keeps the memory behind the pointers below
    cdef Tree *trees                # [slots]
    cdef Node *nodes                # [slots, max_nodes]
    cdef Edge *edges                # [slots, max_edges]
    cdef int32_t *path              # [slots, max_path], edges from the root
    cdef uint8_t *path_mover        # [slots, max_path]
    cdef uint8_t *leaf_state        # [slots, state_size]
    cdef int16_t *leaf_actions      # [slots, max_legal], legal at the leaf
    cdef KnownLeaf *known           # [slots, KNOWN_LEAVES]
    cdef float *gumbel              # [slots, max_legal], by the root's edges
    cdef int32_t *considered        # [MAX_CONSIDERED + 1, simulations], visits of the actions in turn

    cdef int set(self, settings, int simulations) except -1
    cdef void *_slab(self, size_t bytes_each, Py_ssize_t rows) except NULL

    cdef inline Node *node_at(self, Py_ssize_t slot, int node) noexcept nogil:
        return &self.nodes[slot * self.max_nodes + node]

    cdef inline Edge *edge_at(self, Py_ssize_t slot, int edge) noexcept nogil:
        return &self.edges[slot * self.max_edges + edge]

    cdef inline uint8_t *leaf_at(self, Py_ssize_t slot) noexcept nogil:
        return &self.leaf_state[slot * self.game.state_size]

    cdef inline const int16_t *leaf_actions_at(self, Py_ssize_t slot) noexcept nogil:
        return &self.leaf_actions[slot * self.game.max_legal]

    cdef inline bint is_told(self, Py_ssize_t slot) noexcept nogil:
        """Returns whether the network is told something about the leaf: not of the other side's positions.

        Where the searcher has beliefs and nobody known was drawn for this simulation, it is told nothing, either.
        """
        cdef Tree *tree = &self.trees[slot]
        if self.game.to_move(self.leaf_at(slot)) != tree.searcher:
            return False
        return tree.done < 0 or not tree.believes or tree.model >= 0

    cdef inline void expect(self, Py_ssize_t slot) noexcept nogil:
        """Lets the processor fetch what `absorb` will touch first in a slot, while it works on another."""
        if slot < self.slots:
            __builtin_prefetch(&self.trees[slot])
            __builtin_prefetch(self.node_at(slot, 0))
            __builtin_prefetch(self.edge_at(slot, 0))
            __builtin_prefetch(self.edge_at(slot, 2))
            __builtin_prefetch(self.leaf_at(slot))

    cdef void begin(self, Py_ssize_t slot, const uint8_t *root, Stream stream, int model, bint believes) noexcept nogil
    cdef bint absorb(self, Py_ssize_t slot, const float *logits, float value) noexcept nogil
    cdef bint run(self, Py_ssize_t slot) noexcept nogil
    cdef int finish(self, Py_ssize_t slot, int32_t *counts, float *policy, float *value) noexcept nogil

    cdef bint network_policy(self, Py_ssize_t slot, const float *logits, float *policy) noexcept nogil
    cdef bint plays_settled(self) noexcept nogil

    cdef int _new_node(self, Py_ssize_t slot, uint64_t key) noexcept nogil
    cdef bint _priors(self, Py_ssize_t slot, const float *logits, float *priors) noexcept nogil
    cdef bint _expand(self, Py_ssize_t slot, const float *logits) noexcept nogil
    cdef void _root_noise(self, Py_ssize_t slot) noexcept nogil
    cdef bint _descend(self, Py_ssize_t slot) noexcept nogil
    cdef bint _ends(self, Py_ssize_t slot, const uint8_t *state) noexcept nogil
    cdef float _solved(self, Py_ssize_t slot, const uint8_t *state) noexcept nogil
    cdef int _child(self, Py_ssize_t slot, Edge *edge, const uint8_t *state, uint64_t replies) noexcept nogil
    cdef int _best_edge(self, Py_ssize_t slot, int node_number, const uint8_t *legal, int count) noexcept nogil
    cdef int _gumbel_edge(self, Py_ssize_t slot, int considered) noexcept nogil
    cdef int _completed(self, Py_ssize_t slot, float *scores) noexcept nogil
    cdef bint _completed_policy(self, Py_ssize_t slot, float *policy) noexcept nogil
    cdef void _backup(self, Py_ssize_t slot) noexcept nogil
