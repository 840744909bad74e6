"""Batched information-set tree search: PUCT over one tree a game for all its determinizations.

Each simulation draws a determinization from the root mover's view and descends through the actions legal in it
(information-set MCTS with one tree, Cowling, Powley and Whitehouse 2012) by PUCT with the network's priors (Silver et
al. 2017). The leaves of all games go to the network in one call. Where nothing is hidden any more the exact solver
replaces search and network. Values change sign with the player to move; a node evaluated in one determinization is
evaluated again when another brings a legal action that has no prior yet.
"""
from libc.math cimport INFINITY, expf, sqrtf
from libc.stdint cimport int16_t, int32_t, uint8_t, uint64_t
from libc.string cimport memcpy

from collections import namedtuple

import numpy as np

from sim_core import _arguments, _threads
from sim_core.batch cimport GameBatch
from sim_core.endgame_roots cimport SolvedRoot, optimal_actions
from sim_core.game cimport Game
from sim_core.rng cimport PURPOSE_SEARCH, Stream, make_stream, next_gamma

SearchResult = namedtuple("SearchResult", ["visit_counts", "policy", "value"])
SearchResult.__doc__ = """What a search found, a row a game; rows of finished games are zero.

visit_counts: int32 [n, A], visits of the root's actions; each searched row sums to the simulations.
policy: float32 [n, A], the policy target: visit shares, or where the root was solved the prior over best actions.
value: float32 [n], value of the root for the player to move, -1 to 1.
"""


cdef struct Edge:
    float prior
    float value_sum     # for the player to move at the edge's node
    int32_t visits
    int32_t child       # node, -1: not visited yet
    int32_t next_edge   # of the same node, -1: the last
    int16_t action


cdef struct Node:
    int32_t first_edge  # -1: not expanded
    int32_t evaluations
    float value_sum     # of the evaluations, for the player to move


cdef enum:
    LEAF_NONE = 0       # the game is over at the root, or solved there
    LEAF_VALUED = 1     # its value is exact: the game's end or the solver's
    LEAF_EVALUATE = 2   # the network is asked


cdef class Searcher:
    """The trees of one search over a batch, allocated once."""
    cdef GameBatch batch
    cdef const Game *game
    cdef Py_ssize_t n
    cdef int max_nodes, max_edges, max_path, state_size
    cdef float c_puct
    cdef object slabs               # keeps the memory behind the pointers below
    cdef Node *nodes                # [n, max_nodes]
    cdef Edge *edges                # [n, max_edges]
    cdef int32_t *node_count        # [n]
    cdef int32_t *edge_count        # [n]
    cdef int32_t *path              # [n, max_path], edges from the root
    cdef uint8_t *path_mover        # [n, max_path]
    cdef int32_t *path_size         # [n]
    cdef uint8_t *leaf_state        # [n, state_size]
    cdef uint8_t *leaf_kind         # [n]
    cdef int32_t *leaf_node         # [n]
    cdef float *leaf_value          # [n], for the player to move at the leaf
    cdef int32_t *leaf_row          # [n], row in the evaluator's batch
    cdef Stream *streams            # [n]
    cdef uint8_t *solved            # [n]
    cdef float *solved_value        # [n]
    cdef uint8_t *optimal           # [n, num_actions], best actions of solved roots
    cdef float[:, ::1] observations # IN of the evaluator
    cdef uint8_t[:, ::1] masks      # IN of the evaluator
    cdef const float[:, ::1] logits # OUT of the evaluator
    cdef const float[::1] values    # OUT of the evaluator

    def __cinit__(self, GameBatch batch not None, int simulations, float c_puct, uint64_t seed):
        cdef Py_ssize_t i
        # a copy: the evaluator is a stranger's code, and may step the batch
        batch = GameBatch.take(batch, np.arange(batch.n))
        self.batch = batch
        self.game = batch.game
        self.n = batch.n
        self.c_puct = c_puct
        self.max_nodes = simulations + 1
        self.max_edges = (simulations + 1) * batch.game.max_legal
        self.max_path = batch.game.max_plies + 1
        self.state_size = batch.game.state_size
        self.slabs = []
        self.nodes = <Node *>self._slab(self.max_nodes * sizeof(Node))
        self.edges = <Edge *>self._slab(self.max_edges * sizeof(Edge))
        self.node_count = <int32_t *>self._slab(sizeof(int32_t))
        self.edge_count = <int32_t *>self._slab(sizeof(int32_t))
        self.path = <int32_t *>self._slab(self.max_path * sizeof(int32_t))
        self.path_mover = <uint8_t *>self._slab(self.max_path)
        self.path_size = <int32_t *>self._slab(sizeof(int32_t))
        self.leaf_state = <uint8_t *>self._slab(self.state_size)
        self.leaf_kind = <uint8_t *>self._slab(1)
        self.leaf_node = <int32_t *>self._slab(sizeof(int32_t))
        self.leaf_value = <float *>self._slab(sizeof(float))
        self.leaf_row = <int32_t *>self._slab(sizeof(int32_t))
        self.streams = <Stream *>self._slab(sizeof(Stream))
        self.solved = <uint8_t *>self._slab(1)
        self.solved_value = <float *>self._slab(sizeof(float))
        self.optimal = <uint8_t *>self._slab(self.game.num_actions)
        self.observations = np.empty((self.n, self.game.observation_size), dtype=np.float32)
        self.masks = np.zeros((self.n, self.game.num_actions), dtype=np.uint8)
        for i in range(self.n):
            self.streams[i] = make_stream(
                seed, PURPOSE_SEARCH, <uint64_t>batch.stream_numbers[i], self.game.ply(batch.at(i))
            )

    cdef void *_slab(self, size_t bytes_each) except NULL:
        """Uninitialised memory for every game, owned by a numpy array (at least one byte, 64-byte pages by malloc)."""
        array = np.empty((max(self.n, 1) * bytes_each + 7) // 8, dtype=np.uint64)
        cdef uint64_t[::1] view = array
        self.slabs.append(array)
        return &view[0]

    cdef inline Node *node_at(self, Py_ssize_t i, int node) noexcept nogil:
        return &self.nodes[i * self.max_nodes + node]

    cdef inline Edge *edge_at(self, Py_ssize_t i, int edge) noexcept nogil:
        return &self.edges[i * self.max_edges + edge]

    cdef int new_node(self, Py_ssize_t i) noexcept nogil:
        cdef int number = self.node_count[i]
        cdef Node *node = self.node_at(i, number)
        self.node_count[i] += 1
        node.first_edge = -1
        node.evaluations = 0
        node.value_sum = 0.0
        return number

    def start(self, Py_ssize_t low, Py_ssize_t high):
        """Make the root of every game; solve it where that can be."""
        cdef Py_ssize_t i
        with nogil:
            for i in range(low, high):
                self.node_count[i] = 0
                self.edge_count[i] = 0
                self.path_size[i] = 0
                self.leaf_node[i] = self.new_node(i)
                self.solved[i] = False
                self.leaf_kind[i] = LEAF_NONE
                if self.game.is_terminal(self.batch.at(i)):
                    continue
                self.leaf_kind[i] = LEAF_EVALUATE
                memcpy(self.leaf_state + i * self.state_size, self.batch.at(i), self.state_size)
                if self.game.is_solvable(self.batch.at(i)):
                    self.solve_root(i)

    cdef void solve_root(self, Py_ssize_t i) noexcept nogil:
        """The root's exact value, and which of its actions keep it."""
        cdef int16_t actions[256]
        cdef uint8_t keeps[256]
        cdef uint8_t *optimal = self.optimal + i * self.game.num_actions
        cdef SolvedRoot root = optimal_actions(self.game, self.batch.at(i), actions, keeps)
        cdef int k
        self.solved[i] = True
        self.solved_value[i] = root.value
        for k in range(self.game.num_actions):
            optimal[k] = False
        for k in range(root.count):
            optimal[actions[k]] = keeps[k]

    def select(self, Py_ssize_t low, Py_ssize_t high):
        """Descend from each root to a leaf, through one fresh determinization."""
        cdef Py_ssize_t i
        with nogil:
            for i in range(low, high):
                if self.leaf_kind[i] != LEAF_NONE:
                    self.descend(i)

    cdef void descend(self, Py_ssize_t i) noexcept nogil:
        cdef int16_t actions[256]
        cdef uint8_t legal[256]
        cdef uint8_t *state = self.leaf_state + i * self.state_size
        cdef int node = 0, depth = 0, count, k, mover, chosen
        cdef Edge *edge
        memcpy(state, self.batch.at(i), self.state_size)
        self.game.determinize(state, &self.streams[i])
        for k in range(self.game.num_actions):
            legal[k] = False
        while True:
            mover = self.game.to_move(state)
            if node != 0:
                if self.game.is_terminal(state):
                    self.leaf_kind[i] = LEAF_VALUED
                    self.leaf_value[i] = self.game.outcome(state, mover)
                    break
                if self.game.is_solvable(state):
                    self.leaf_kind[i] = LEAF_VALUED
                    self.leaf_value[i] = self.game.solve(state, -1, 1, NULL)
                    break
            count = self.game.legal_actions(state, actions)
            for k in range(count):
                legal[actions[k]] = True
            chosen = self.best_edge(i, node, legal, count)
            for k in range(count):
                legal[actions[k]] = False
            if chosen < 0:
                self.leaf_kind[i] = LEAF_EVALUATE
                break
            edge = self.edge_at(i, chosen)
            self.path[i * self.max_path + depth] = chosen
            self.path_mover[i * self.max_path + depth] = <uint8_t>mover
            depth += 1
            self.game.step(state, edge.action)
            if edge.child < 0:
                edge.child = self.new_node(i)
            node = edge.child
        self.path_size[i] = depth
        self.leaf_node[i] = node

    cdef int best_edge(self, Py_ssize_t i, int node_number, const uint8_t *legal, int count) noexcept nogil:
        """The edge PUCT chooses among the legal ones; -1 where a legal action has no edge yet."""
        cdef Node *node = self.node_at(i, node_number)
        cdef Edge *edge
        cdef int number = node.first_edge, matched = 0, visits = 0, best = -1
        cdef float priors = 0.0, score, best_score = -1e30, explore, unvisited
        while number >= 0:
            edge = self.edge_at(i, number)
            if legal[edge.action]:
                matched += 1
                visits += edge.visits
                priors += edge.prior
            number = edge.next_edge
        if matched < count:
            return -1
        # priors are shared out anew among the actions this determinization allows
        explore = self.c_puct * sqrtf(<float>max(visits, 1)) / max(priors, 1e-8)
        unvisited = node.value_sum / node.evaluations
        number = node.first_edge
        while number >= 0:
            edge = self.edge_at(i, number)
            if legal[edge.action]:
                score = edge.value_sum / edge.visits if edge.visits else unvisited
                score += explore * edge.prior / (1 + edge.visits)
                if score > best_score:
                    best_score = score
                    best = number
            number = edge.next_edge
        return best

    def gather(self) -> int:
        """Give each leaf to be evaluated its row in the evaluator's batch; returns how many."""
        cdef Py_ssize_t i
        cdef int rows = 0
        for i in range(self.n):
            if self.leaf_kind[i] == LEAF_EVALUATE:
                self.leaf_row[i] = rows
                rows += 1
        return rows

    def encode(self, Py_ssize_t low, Py_ssize_t high):
        """Write the leaves' observations and legal actions into their rows."""
        cdef Py_ssize_t i
        cdef int16_t actions[256]
        cdef int count, k, row
        cdef uint8_t *state
        with nogil:
            for i in range(low, high):
                if self.leaf_kind[i] != LEAF_EVALUATE:
                    continue
                row = self.leaf_row[i]
                state = self.leaf_state + i * self.state_size
                self.game.observe(state, &self.observations[row, 0])
                for k in range(self.game.num_actions):
                    self.masks[row, k] = False
                count = self.game.legal_actions(state, actions)
                for k in range(count):
                    self.masks[row, actions[k]] = True

    def evaluate(self, evaluator, int rows):
        """One network call for all leaves; its answer is checked."""
        answer = evaluator(np.asarray(self.observations)[:rows], np.asarray(self.masks).view(np.bool_)[:rows])
        try:
            logits, values = answer
            logits = np.require(logits, np.float32, "CA")
            values = np.require(values, np.float32, "CA")
        except (TypeError, ValueError) as error:
            raise ValueError(f"evaluate: returned {type(answer).__name__}, expected logits and values: {error}") from error
        if logits.shape != (rows, self.game.num_actions) or values.shape != (rows,):
            raise ValueError(
                f"evaluate: returned logits {logits.shape} and values {values.shape}, "
                f"expected ({rows}, {self.game.num_actions}) and ({rows},)"
            )
        legal = np.asarray(self.masks).view(np.bool_)[:rows]
        if not (np.isfinite(np.where(legal, logits, 0.0)).all() and np.isfinite(values).all()):
            raise ValueError(
                "evaluate: returned NaN or infinity for a value or a legal action; have the network's weights diverged?"
            )
        self.logits = logits
        self.values = values

    def backup(self, Py_ssize_t low, Py_ssize_t high):
        """Expand the evaluated leaves and pass every leaf's value up its path."""
        cdef Py_ssize_t i
        cdef int k, leaf_mover
        cdef float value
        cdef Edge *edge
        with nogil:
            for i in range(low, high):
                if self.leaf_kind[i] == LEAF_NONE:
                    continue
                if self.leaf_kind[i] == LEAF_EVALUATE:
                    self.expand(i)
                value = self.leaf_value[i]
                leaf_mover = self.game.to_move(self.leaf_state + i * self.state_size)
                for k in range(self.path_size[i]):
                    edge = self.edge_at(i, self.path[i * self.max_path + k])
                    edge.visits += 1
                    edge.value_sum += value if self.path_mover[i * self.max_path + k] == leaf_mover else -value

    cdef void expand(self, Py_ssize_t i) noexcept nogil:
        """Add the edges the leaf lacks, with softmax priors over the actions legal in its determinization."""
        cdef int16_t actions[256]
        cdef float weights[256]
        cdef int row = self.leaf_row[i], count, k, number
        cdef float top = -INFINITY, total = 0.0
        cdef Node *node = self.node_at(i, self.leaf_node[i])
        cdef Edge *edge
        count = self.game.legal_actions(self.leaf_state + i * self.state_size, actions)
        for k in range(count):
            top = max(top, self.logits[row, actions[k]])
        for k in range(count):
            weights[k] = expf(self.logits[row, actions[k]] - top)
            total += weights[k]
        self.leaf_value[i] = self.values[row]
        node.evaluations += 1
        node.value_sum += self.values[row]
        for k in range(count - 1, -1, -1):
            number = node.first_edge
            while number >= 0 and self.edge_at(i, number).action != actions[k]:
                number = self.edge_at(i, number).next_edge
            if number >= 0:
                continue
            number = self.edge_count[i]
            self.edge_count[i] += 1
            edge = self.edge_at(i, number)
            edge.prior = weights[k] / total
            edge.value_sum = 0.0
            edge.visits = 0
            edge.child = -1
            edge.action = actions[k]
            edge.next_edge = node.first_edge
            node.first_edge = number

    def finish_roots(self, float fraction, double alpha):
        """After the roots' evaluation: solved games leave the search, the others get root noise."""
        cdef Py_ssize_t i
        cdef double noise[256]
        cdef double total
        cdef int number, k
        cdef Edge *edge
        for i in range(self.n):
            if self.leaf_kind[i] == LEAF_NONE:
                continue
            if self.solved[i]:
                self.leaf_kind[i] = LEAF_NONE
                continue
            if fraction <= 0.0:
                continue
            total = 0.0
            for k in range(self.edge_count[i]):
                noise[k] = next_gamma(&self.streams[i], alpha)
                total += noise[k]
            if total <= 0.0:
                continue    # every variate underflowed: no noise beats a division by zero
            for k in range(self.edge_count[i]):
                edge = self.edge_at(i, k)
                edge.prior = (1.0 - fraction) * edge.prior + fraction * <float>(noise[k] / total)

    def result(self, int simulations):
        counts = np.zeros((self.n, self.game.num_actions), dtype=np.int32)
        policy = np.zeros((self.n, self.game.num_actions), dtype=np.float32)
        value = np.zeros(self.n, dtype=np.float32)
        cdef int32_t[:, ::1] counts_view = counts
        cdef float[:, ::1] policy_view = policy
        cdef float[::1] value_view = value
        cdef Py_ssize_t i
        cdef int number, visits
        cdef float priors
        cdef Edge *edge
        for i in range(self.n):
            visits = 0
            priors = 0.0
            number = self.node_at(i, 0).first_edge
            while number >= 0:
                edge = self.edge_at(i, number)
                visits += edge.visits
                value_view[i] += edge.value_sum
                counts_view[i, edge.action] = edge.visits
                if self.solved[i] and self.optimal[i * self.game.num_actions + edge.action]:
                    policy_view[i, edge.action] = max(edge.prior, 1e-6)
                    priors += policy_view[i, edge.action]
                number = edge.next_edge
            if self.solved[i]:
                value_view[i] = self.solved_value[i]
                for number in range(self.game.num_actions):
                    policy_view[i, number] /= priors
                self.share_out(i, simulations, policy_view, counts_view)
            elif visits:
                value_view[i] /= visits
                for number in range(self.game.num_actions):
                    policy_view[i, number] = <float>counts_view[i, number] / visits
        return SearchResult(counts, policy, value)

    cdef void share_out(self, Py_ssize_t i, int simulations, float[:, ::1] policy, int32_t[:, ::1] counts) noexcept:
        """A solved root's visit counts: the simulations in proportion to its policy, the rest to the likeliest."""
        cdef int action, left = simulations, best = 0
        for action in range(self.game.num_actions):
            counts[i, action] = <int32_t>(simulations * policy[i, action])
            left -= counts[i, action]
            if policy[i, action] > policy[i, best]:
                best = action
        counts[i, best] += left


def search(
    GameBatch batch not None, evaluate, simulations, *, seed=0, threads=1, c_puct=1.5,
    dirichlet_fraction=0.0, dirichlet_alpha=0.5,
):
    """Search every game of the batch from its mover's view.

    Args:
        batch: n games, at any ply; none is changed. Finished games give rows of zeros.
        evaluate: called with observations float32 [m, OBSERVATION_SIZE] and legal_mask bool [m, A]; returns logits
            [m, A] and values [m] for the players to move. Its arguments are reused by the next call.
        simulations: simulations a game, 1 to 1,000,000.
        seed: of the determinizations and the root noise; a game's stream is (seed, its stream number, its ply).
        threads: threads for the work in the tree; the result does not depend on it.
        c_puct: weight of the prior against the value in PUCT.
        dirichlet_fraction: share of Dirichlet noise in the root's priors, 0 to 1.
        dirichlet_alpha: concentration of that noise, above 0.

    Returns:
        SearchResult(visit_counts int32 [n, A], policy float32 [n, A], value float32 [n]).

    Raises:
        ValueError: an argument is out of range, or the evaluator returns wrong shapes, NaN or infinity.
    """
    if isinstance(simulations, bool) or not isinstance(simulations, (int, np.integer)) or not (
        1 <= simulations <= 1_000_000
    ):
        raise ValueError(f"simulations: {simulations!r} given, expected 1 to 1,000,000")
    for name, value, low, high in (
        ("c_puct", c_puct, 0.0, 1e6), ("dirichlet_fraction", dirichlet_fraction, 0.0, 1.0),
        ("dirichlet_alpha", dirichlet_alpha, 1e-3, 1e6),
    ):
        if not isinstance(value, (int, float, np.integer, np.floating)) or not low <= value <= high:
            raise ValueError(f"{name}: {value!r} given, expected {low} to {high}")
    _threads.check_threads(threads)
    cdef Searcher trees = Searcher(batch, simulations, c_puct, _arguments.seed(seed))
    cdef Py_ssize_t n = trees.n
    for k in range(simulations + 1):
        _threads.for_chunks(trees.select if k else trees.start, n, threads)
        rows = trees.gather()
        if rows:
            _threads.for_chunks(trees.encode, n, threads)
            trees.evaluate(evaluate, rows)
        _threads.for_chunks(trees.backup, n, threads)
        if k == 0:
            trees.finish_roots(dirichlet_fraction, dirichlet_alpha)
    return trees.result(simulations)
