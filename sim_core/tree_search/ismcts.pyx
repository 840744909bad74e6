"""Searches without a network: information-set UCT with availability counts, and random rollouts for values.

Single-observer ISMCTS (Cowling, Powley and Whitehouse 2012): one tree for all determinizations of what the root's mover
cannot see. An iteration determinizes, descends through the actions legal in it, adds one node, plays on at random and
counts the outcome. A root that can be solved is solved, and on request each iteration from where it can be. Told which
built-in opponent plays the other side, the tree plays that opponent's rule for it. The search knows nothing of a game
but its `Game`.
"""
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport log, sqrt
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from collections import namedtuple

import numpy as np

from sim_core import _arguments, _threads
from sim_core.batch cimport GameBatch
from sim_core.game cimport Game
from sim_core.rng cimport PURPOSE_ISMCTS, Stream, make_stream, mix64, next_below
from sim_core.tree_search.solved_roots cimport NO_MODEL, exact_value, has_exact_value, optimal_actions
from sim_core.tree_search.searcher import opponent_numbers
from sim_core.tree_search.settings import MAX_SIMULATIONS

IsmctsResult = namedtuple("IsmctsResult", ["visit_counts", "actions", "value"])
IsmctsResult.__doc__ = """Holds what a search found, one row per game. Finished games have zeros and the action -1.

visit_counts: int32 [n, A], visits of the root's actions. Each searched row sums to the iterations.
actions: int64 [n], the most visited action, the first among equals. At a solved root one that keeps its value.
value: float32 [n], mean outcome for the player to move, -1 to 1. At a solved root the exact one.
"""


cdef struct Node:
    uint64_t key            # id of the action that leads here, or a hash of the model's replies
    double outcomes         # their sum, for the player who took the action
    int32_t visits          # iterations through this node
    int32_t available       # iterations through the parent in which this node's action was legal
    int32_t first_child     # node; -1: none
    int32_t next_sibling    # node; -1: this is the last


cdef struct Tree:
    const Game *game        # its rules
    int model               # number of the built-in opponent that plays the other side, or NO_MODEL
    int searcher            # player to move at the root
    Node *nodes             # [2 * iterations + 1], the root first
    const double *log_of    # [iterations + 1], logarithms of the counts
    double c                # weight of exploration
    bint exact_rollouts     # end an iteration with the exact value once its state can be solved
    int size                # nodes in use
    int32_t *path           # [max_plies + 1], nodes from below the root
    uint8_t *movers         # [max_plies + 1], the players who chose them
    uint8_t *legal          # [num_actions], zeros between calls
    uint8_t *state          # [state_size], of this iteration
    Stream stream


cdef int new_node(Tree *tree, uint64_t key) noexcept nogil:
    cdef Node *node = &tree.nodes[tree.size]
    node.visits = 0
    node.available = 0
    node.outcomes = 0.0
    node.first_child = -1
    node.next_sibling = -1
    node.key = key
    tree.size += 1
    return tree.size - 1


cdef int choose(Tree *tree, int parent, int16_t *actions, int count) noexcept nogil:
    """Returns the best legal child by UCT, or a new child of a random legal action that has none yet."""
    cdef int number = tree.nodes[parent].first_child, last = -1, best = -1, k, untried = 0
    cdef double score, best_score = 0.0
    cdef Node *node
    for k in range(count):
        tree.legal[actions[k]] = True
    while number >= 0:
        node = &tree.nodes[number]
        if tree.legal[node.key]:
            tree.legal[node.key] = False
            score = node.outcomes / node.visits + tree.c * sqrt(tree.log_of[node.available] / node.visits)
            node.available += 1
            count -= 1
            if best < 0 or score > best_score:
                best = number
                best_score = score
        last = number
        number = node.next_sibling
    if count == 0:
        return best
    k = 0
    while untried < count:
        if tree.legal[actions[k]]:
            tree.legal[actions[k]] = False
            actions[untried] = actions[k]
            untried += 1
        k += 1
    number = new_node(tree, actions[next_below(&tree.stream, untried)])
    tree.nodes[number].available = 1
    if last < 0:
        tree.nodes[parent].first_child = number
    else:
        tree.nodes[last].next_sibling = number
    return number


cdef inline bint ends_exactly(const Tree *tree) noexcept nogil:
    """Returns whether the solver takes over from this iteration's state."""
    return tree.exact_rollouts and has_exact_value(tree.game, tree.state, tree.model)


cdef int replied(Tree *tree, int node) noexcept nogil:
    """Lets the model move until it is the searcher's turn or the solver's. Returns the node behind `node` of replies.

    There is one where the model does not move, too, because it may move in another determinization.
    """
    cdef const Game *game = tree.game
    cdef uint64_t replies = 0
    cdef int number, action
    while not (
        game.is_terminal(tree.state) or game.to_move(tree.state) == tree.searcher or ends_exactly(tree)
    ):
        action = game.opponent_action(tree.model, tree.state, &tree.stream)
        replies = mix64(replies + <uint64_t>action + 1)
        game.step(tree.state, action)
    number = tree.nodes[node].first_child
    while number >= 0 and tree.nodes[number].key != replies:
        number = tree.nodes[number].next_sibling
    if number < 0:
        number = new_node(tree, replies)
        tree.nodes[number].next_sibling = tree.nodes[node].first_child
        tree.nodes[node].first_child = number
    return number


cdef double rollout(Tree *tree) noexcept nogil:
    """Plays at random until the game ends or the solver takes over. Returns player 0's outcome."""
    cdef const Game *game = tree.game
    cdef int16_t actions[256]
    cdef int count
    cdef double value
    while True:
        count = game.legal_actions(tree.state, actions)
        if count == 0:
            return game.outcome(tree.state, 0)
        if ends_exactly(tree):
            value = exact_value(game, tree.state, tree.model, tree.searcher)
            return value if game.to_move(tree.state) == 0 else -value
        game.step(tree.state, actions[next_below(&tree.stream, count)])


cdef void iterate(Tree *tree, const uint8_t *root) noexcept nogil:
    """Runs one iteration: determinization, descent, new node, rollout and backup."""
    cdef const Game *game = tree.game
    cdef int16_t actions[256]
    cdef int depth = 0, node = 0, size, count, k
    cdef double outcome
    cdef Node *taken
    memcpy(tree.state, root, game.state_size)
    game.determinize(tree.state, &tree.stream)
    while True:
        if depth and tree.model != NO_MODEL:
            node = replied(tree, node)
        if ends_exactly(tree):
            break
        count = game.legal_actions(tree.state, actions)
        if count == 0:
            break
        size = tree.size
        node = choose(tree, node, actions, count)
        tree.path[depth] = node
        tree.movers[depth] = <uint8_t>game.to_move(tree.state)
        depth += 1
        game.step(tree.state, <int>tree.nodes[node].key)
        if tree.size > size:
            break
    outcome = rollout(tree)
    for k in range(depth):
        taken = &tree.nodes[tree.path[k]]
        taken.visits += 1
        taken.outcomes += outcome if tree.movers[k] == 0 else -outcome


cdef class IsmctsRun:
    """Holds the settings of a search over a batch, and the rows that its threads fill."""
    cdef GameBatch batch
    cdef int iterations
    cdef double c
    cdef bint exact_rollouts
    cdef bint stopped
    cdef uint64_t seed
    cdef int32_t[::1] models    # [n], number of the opponent on the other side, or NO_MODEL
    cdef double[::1] log_of     # [iterations + 1]
    cdef int32_t[:, ::1] counts # OUT
    cdef int64_t[::1] actions   # OUT
    cdef float[::1] values      # OUT

    def work(self, Py_ssize_t low, Py_ssize_t high):
        """Searches games `low` to `high` - 1 one after another, in the memory of one tree."""
        cdef const Game *game = self.batch.game
        cdef Tree tree
        cdef Py_ssize_t i
        # made of numbers as wide as the widest field, so that it is aligned as C needs it
        cdef uint64_t[:, ::1] nodes = np.empty(
            (2 * self.iterations + 1, sizeof(Node) // sizeof(uint64_t)), dtype=np.uint64
        )
        cdef int32_t[::1] path = np.empty(game.max_plies + 1, dtype=np.int32)
        cdef uint8_t[::1] movers = np.empty(game.max_plies + 1, dtype=np.uint8)
        cdef uint8_t[::1] legal = np.zeros(game.num_actions, dtype=np.uint8)
        cdef uint64_t[::1] state = np.zeros((game.state_size + 7) // 8, dtype=np.uint64)
        tree.game = game
        tree.nodes = <Node *>&nodes[0, 0]
        tree.log_of = &self.log_of[0]
        tree.c = self.c
        tree.exact_rollouts = self.exact_rollouts
        tree.path = &path[0]
        tree.movers = &movers[0]
        tree.legal = &legal[0]
        tree.state = <uint8_t *>&state[0]
        for i in range(low, high):
            if self.stopped:
                break
            with nogil:
                self.search(&tree, i)
            try:
                PyErr_CheckSignals()
            except BaseException:
                self.stopped = True     # the other threads' parts end too
                raise

    cdef void search(self, Tree *tree, Py_ssize_t i) noexcept nogil:
        cdef const Game *game = self.batch.game
        cdef const uint8_t *root = self.batch.at(i)
        cdef int k, number
        cdef double total = 0.0
        if game.is_terminal(root):
            return
        if has_exact_value(game, root, self.models[i]):
            self.solve(i)
            return
        tree.model = self.models[i]
        tree.searcher = game.to_move(root)
        tree.stream = make_stream(self.seed, PURPOSE_ISMCTS, <uint64_t>self.batch.stream_numbers[i], game.ply(root))
        tree.size = 0
        new_node(tree, 0)
        for k in range(self.iterations):
            iterate(tree, root)
        number = tree.nodes[0].first_child
        while number >= 0:
            self.counts[i, tree.nodes[number].key] = tree.nodes[number].visits
            total += tree.nodes[number].outcomes
            number = tree.nodes[number].next_sibling
        self.values[i] = <float>(total / self.iterations)
        self.actions[i] = 0
        for k in range(1, game.num_actions):
            if self.counts[i, k] > self.counts[i, self.actions[i]]:
                self.actions[i] = k

    cdef void solve(self, Py_ssize_t i) noexcept nogil:
        cdef int16_t actions[256]
        cdef uint8_t optimal[256]
        cdef const Game *game = self.batch.game
        cdef int16_t best
        cdef int k = 0
        if self.models[i] == NO_MODEL:
            self.values[i] = game.solve(self.batch.at(i), -1, 1, &best)
        else:
            self.values[i] = <float>optimal_actions(game, self.batch.at(i), self.models[i], actions, optimal).value
            while not optimal[k]:
                k += 1
            best = actions[k]
        self.counts[i, best] = self.iterations
        self.actions[i] = best


def ismcts(GameBatch batch not None, iterations, *, seed=0, threads=1, c=1.2, exact_rollouts=False, opponents=None):
    """Searches every game of the batch from its mover's view, one after another.

    A child's score is ``outcomes / visits + c * sqrt(log(available) / visits)``. Among equals the child added first is
    taken. Equal positions with equal stream numbers get equal results: neither the rest of the batch nor what the
    mover cannot see changes them.

    Args:
        batch: Games to search, n games at any ply. None is changed. Finished games give zeros and the action -1.
        iterations: Iterations per game, 1 to 1,000,000.
        seed: Random seed of determinizations, new nodes and rollouts. A game's stream is (seed, its stream number, its
            ply).
        threads: Threads for different games, each with a separate tree. The result does not depend on it.
        c: Weight of exploration against outcomes of -1 to 1, from 0 to 1,000,000.
        exact_rollouts: Whether an iteration ends with the game's exact value as soon as its state can be solved, in
            place of random play. In Beasty Bar that is worth more per iteration, but far less per second.
        opponents: Name of the built-in opponent that plays the other side, or a name or None for each game [n]. In the
            tree it plays by its rule. None: the other side plays what is best for it.

    Returns:
        IsmctsResult(visit_counts int32 [n, A], actions int64 [n], value float32 [n]).

    Raises:
        ValueError: Names the argument that is out of range.
    """
    count = _arguments.integer("iterations", iterations, 1, MAX_SIMULATIONS, f"1 to {MAX_SIMULATIONS:,}")
    if isinstance(c, bool) or not isinstance(c, (int, float, np.integer, np.floating)) or not 0.0 <= c <= 1e6:
        raise ValueError(f"c: {c!r} given, expected 0 to 1,000,000")
    if not isinstance(exact_rollouts, (bool, np.bool_)):
        raise ValueError(f"exact_rollouts: {exact_rollouts!r} given, expected True or False")
    _threads.check_threads(threads)
    found = IsmctsResult(
        np.zeros((batch.n, batch.num_actions), dtype=np.int32),
        np.full(batch.n, -1, dtype=np.int64),
        np.zeros(batch.n, dtype=np.float32),
    )
    cdef int k
    cdef IsmctsRun run = IsmctsRun()
    run.batch = batch.take(np.arange(batch.n))     # a copy, because other threads may step the batch meanwhile
    run.iterations = count
    run.c = c
    run.exact_rollouts = exact_rollouts
    run.models = opponent_numbers(batch, opponents)
    run.seed = _arguments.seed(seed)
    run.log_of = np.zeros(count + 1)
    for k in range(1, run.iterations + 1):
        run.log_of[k] = log(k)
    run.counts, run.actions, run.values = found
    _threads.for_chunks(run.work, batch.n, threads)
    return found
