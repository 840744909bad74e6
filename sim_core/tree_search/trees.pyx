"""Grows information-set search trees: selects, expands and backs up in one slab of nodes, without the GIL.

Each simulation draws a determinization from the root mover's view and descends through the actions legal in it
(information-set MCTS with one tree, Cowling, Powley and Whitehouse 2012) by PUCT with the network's priors (Silver et
al. 2017); the root may choose by Gumbel noise and sequential halving instead (Danihelka et al. 2022). Leaves at which
nothing is hidden any more take the exact solver's value and cost no evaluation. Values change sign with the player to
move. A node is evaluated again when another determinization brings a legal action that has no prior yet.

Where the searcher is told who plays the other side, that opponent's rule moves there: an own action's edge leads to one
node for each reply, no network is asked about the opponent's positions, and solvable leaves take the value of the best
response (best-response expert iteration, Hernandez, Baier and Kaisers 2023).
"""
from libc.math cimport INFINITY, expf, isfinite, log, logf, sqrtf
from libc.stdint cimport int16_t, int32_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from sim_core.agent_models cimport model_action
from sim_core.game cimport GameHandle
from sim_core.rng cimport Stream, hash_bytes, mix64, next_double, next_gamma
from sim_core.tree_search.solved_roots cimport exact_value, has_exact_value

from sim_core import _arguments
from sim_core.game import get_game
from sim_core.tree_search.halving import considered_visits
from sim_core.tree_search.settings import MAX_SIMULATIONS, SearchSettings


cdef class Trees:
    """Holds the trees of up to `slots` games. A slot's tree is begun anew for every move, in the same memory.

    A search of a slot: `begin` makes the root the first leaf, which the caller lets the network evaluate. `absorb`
    takes the answer. Then `run` is called until it returns False. Each time it returns True, another leaf (`leaf_at`)
    is to be evaluated and absorbed. At the end `finish` gives the result. Slots share nothing that is written, so the
    threads of one search or runner may work on different slots. A second search or runner is refused meanwhile.

    Args:
        game: Name of the game.
        slots: Most games at once, up to 100,000,000.
        simulations: Most simulations per search, 1 to 1,000,000.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """

    def __cinit__(self, game, slots, simulations):
        cdef GameHandle handle = get_game(game)
        slots = _arguments.integer("slots", slots, 0, 100_000_000)
        simulations = _arguments.integer("simulations", simulations, 1, MAX_SIMULATIONS, f"1 to {MAX_SIMULATIONS:,}")
        self.handle = handle
        self.game = handle.game
        self.slots = slots
        self.capacity = simulations
        # the root's evaluation and each simulation expand one node
        self.max_nodes = simulations + 1
        self.max_edges = (simulations + 1) * self.game.max_legal
        self.max_path = self.game.max_plies + 1
        self.in_use = InUse("trees")
        self.slabs = []
        self.trees = <Tree *>self._slab(sizeof(Tree), slots)
        self.nodes = <Node *>self._slab(self.max_nodes * sizeof(Node), slots)
        self.edges = <Edge *>self._slab(self.max_edges * sizeof(Edge), slots)
        self.path = <int32_t *>self._slab(self.max_path * sizeof(int32_t), slots)
        self.path_mover = <uint8_t *>self._slab(self.max_path, slots)
        self.leaf_state = <uint8_t *>self._slab(self.game.state_size, slots)
        self.leaf_actions = <int16_t *>self._slab(self.game.max_legal * sizeof(int16_t), slots)
        self.known = <KnownLeaf *>self._slab(KNOWN_LEAVES * sizeof(KnownLeaf), slots)
        memset(self.known, 0, slots * KNOWN_LEAVES * sizeof(KnownLeaf))
        self.gumbel = <float *>self._slab(self.game.max_legal * sizeof(float), slots)
        self.considered = <int32_t *>self._slab(simulations * sizeof(int32_t), MAX_CONSIDERED + 1)
        self.set(SearchSettings(), simulations)

    def configure(self, settings, int simulations) -> None:
        """Sets the settings of the searches that begin from now on.

        Args:
            settings: `SearchSettings`.
            simulations: Simulations per search, at most those that the trees were made for.

        Raises:
            ValueError: There is no room for these simulations.
            RuntimeError: Another thread uses the trees now.
        """
        with self.in_use:
            self.set(settings, simulations)

    cdef int set(self, settings, int simulations) except -1:
        if not 1 <= simulations <= self.capacity:
            raise ValueError(f"simulations: {simulations} given, these trees have room for 1 to {self.capacity}")
        self.settings.simulations = simulations
        self.settings.c_puct = settings.c_puct
        self.settings.dirichlet_fraction = settings.dirichlet_fraction
        self.settings.dirichlet_alpha = settings.dirichlet_alpha
        self.settings.root_selection = ROOT_GUMBEL if settings.root_selection == "gumbel" else ROOT_PUCT
        self.settings.completed_q = settings.policy_target == "completed_q"
        self.settings.gumbel_scale = settings.gumbel_scale
        self.settings.max_considered = settings.max_considered
        self.settings.c_visit = settings.c_visit
        self.settings.c_scale = settings.c_scale
        self.settings.private_nodes = settings.nodes == "private"
        self.settings.availability = settings.availability
        self.settings.exact_leaves = settings.exact_leaves
        for number in range(MAX_CONSIDERED + 1):
            for k, visits in enumerate(considered_visits(number, simulations)):
                self.considered[number * simulations + k] = visits
        return 0

    cdef void *_slab(self, size_t bytes_each, Py_ssize_t rows) except NULL:
        """Returns uninitialised memory that a numpy array owns. Pages that no tree reaches are never touched."""
        array = np.empty((max(rows, 1) * bytes_each + 7) // 8, dtype=np.uint64)
        cdef uint64_t[::1] view = array
        self.slabs.append(array)
        return &view[0]

    @property
    def nbytes(self) -> int:
        """Returns the bytes of all trees together, if every simulation of every slot expanded the most it can."""
        return sum([array.nbytes for array in self.slabs])

    cdef void begin(self, Py_ssize_t slot, const uint8_t *root, Stream stream, int model, bint believes) noexcept nogil:
        """Makes the root the first leaf. The game must not be over there. `root` must stay until `finish`.

        `model` is the number of the opponent that plays the other side, or -1. Where the searcher `believes`,
        both it and the hidden cards are drawn from the slot's beliefs for each simulation.
        """
        cdef Tree *tree = &self.trees[slot]
        tree.stream = stream
        tree.root_state = root
        tree.model = model
        tree.believes = believes
        tree.searcher = self.game.to_move(root)
        tree.nodes = 0
        tree.edges = 0
        tree.done = -1
        tree.path_size = 0
        tree.leaf = self._new_node(slot, 0)
        memcpy(self.leaf_at(slot), root, self.game.state_size)
        tree.leaf_legal = self.game.legal_actions(root, &self.leaf_actions[slot * self.game.max_legal])

    cdef bint absorb(self, Py_ssize_t slot, const float *logits, float value) noexcept nogil:
        """Expands the evaluated leaf and backs its value up. Returns False if the network's answer is not finite."""
        cdef Tree *tree = &self.trees[slot]
        cdef Node *node = self.node_at(slot, tree.leaf)
        if not isfinite(value) or not self._expand(slot, logits):
            return False
        node.evaluations += 1
        node.value_sum += value
        tree.leaf_value = value
        if tree.done < 0:
            tree.root_edges = tree.edges
            self._root_noise(slot)
            tree.done = 0
        else:
            self._backup(slot)
        return True

    cdef bint run(self, Py_ssize_t slot) noexcept nogil:
        """Simulates until a leaf needs its evaluation. Returns False when all simulations are done."""
        cdef Tree *tree = &self.trees[slot]
        while tree.done < self.settings.simulations:
            if self._descend(slot):
                return True
            self._backup(slot)
        return False

    cdef int finish(self, Py_ssize_t slot, int32_t *counts, float *policy, float *value) noexcept nogil:
        """Fills visit counts [A], the policy target [A] and the root's value. Returns the action the root settled on.

        -1: The network's values were finite, but too large to be added up to a finite value or policy.
        """
        cdef Edge *edge
        cdef int number = self.node_at(slot, 0).first_edge, visits = 0, best = -1
        cdef float total = 0.0
        memset(counts, 0, self.game.num_actions * sizeof(int32_t))
        memset(policy, 0, self.game.num_actions * sizeof(float))
        while number >= 0:
            edge = self.edge_at(slot, number)
            counts[edge.action] = edge.visits
            visits += edge.visits
            total += edge.value_sum
            if best < 0 or edge.visits > counts[best]:
                best = edge.action
            number = edge.next_edge
        value[0] = total / visits
        if not isfinite(value[0]):
            return -1
        if self.settings.completed_q:
            if not self._completed_policy(slot, policy):
                return -1
        else:
            number = self.node_at(slot, 0).first_edge
            while number >= 0:
                edge = self.edge_at(slot, number)
                policy[edge.action] = <float>edge.visits / visits
                number = edge.next_edge
        if self.settings.root_selection == ROOT_GUMBEL:
            best = self.edge_at(slot, self._gumbel_edge(slot, counts[best])).action
        return best

    cdef bint network_policy(self, Py_ssize_t slot, const float *logits, float *policy) noexcept nogil:
        """Fills the network's policy [A] at a root that was begun. Returns False if it is not finite."""
        cdef const int16_t *actions = self.leaf_actions_at(slot)
        cdef float priors[256]
        cdef int k
        if not self._priors(slot, logits, priors):
            return False
        memset(policy, 0, self.game.num_actions * sizeof(float))
        for k in range(self.trees[slot].leaf_legal):
            policy[actions[k]] = priors[k]
        return True

    cdef bint plays_settled(self) noexcept nogil:
        """Returns whether a move is the action that the root settled on, rather than sampled from the policy."""
        return self.settings.root_selection == ROOT_GUMBEL

    cdef int _new_node(self, Py_ssize_t slot, uint64_t key) noexcept nogil:
        cdef Tree *tree = &self.trees[slot]
        cdef int number = tree.nodes
        cdef Node *node = self.node_at(slot, number)
        tree.nodes += 1
        node.key = key
        node.first_edge = -1
        node.next_node = -1
        node.evaluations = 0
        node.value_sum = 0.0
        return number

    cdef bint _priors(self, Py_ssize_t slot, const float *logits, float *priors) noexcept nogil:
        """Fills the softmax over the leaf's legal actions, in their order. Returns False if a logit is not finite."""
        cdef const int16_t *actions = self.leaf_actions_at(slot)
        cdef int count = self.trees[slot].leaf_legal, k
        cdef float top = -INFINITY, total = 0.0
        for k in range(count):
            if not isfinite(logits[actions[k]]):
                return False
            top = max(top, logits[actions[k]])
        for k in range(count):
            priors[k] = expf(logits[actions[k]] - top)
            total += priors[k]
        for k in range(count):
            priors[k] /= total
        return True

    cdef bint _expand(self, Py_ssize_t slot, const float *logits) noexcept nogil:
        """Adds the edges that the leaf lacks, with softmax priors over the actions legal in its determinization."""
        cdef const int16_t *actions = self.leaf_actions_at(slot)
        cdef float priors[256]
        cdef Tree *tree = &self.trees[slot]
        cdef Node *node = self.node_at(slot, tree.leaf)
        cdef Edge *edge
        cdef bint fresh = node.first_edge < 0
        cdef int count = tree.leaf_legal, k, number
        if not self._priors(slot, logits, priors):
            return False
        # linked last to first, so that a new node's edges are met in increasing order of their actions
        for k in range(count - 1, -1, -1):
            if not fresh:
                number = node.first_edge
                while number >= 0 and self.edge_at(slot, number).action != actions[k]:
                    number = self.edge_at(slot, number).next_edge
                if number >= 0:
                    continue
            edge = self.edge_at(slot, tree.edges)
            edge.prior = priors[k]
            edge.value_sum = 0.0
            edge.visits = 0
            edge.child = -1
            edge.available = 0
            edge.action = actions[k]
            edge.next_edge = node.first_edge
            node.first_edge = tree.edges
            tree.edges += 1
        return True

    cdef void _root_noise(self, Py_ssize_t slot) noexcept nogil:
        """Adds Dirichlet noise to the root's priors, or draws Gumbel noise beside them."""
        cdef Tree *tree = &self.trees[slot]
        cdef Edge *edge
        cdef double noise[256]
        cdef double total = 0.0
        cdef int k
        if self.settings.root_selection == ROOT_GUMBEL:
            for k in range(tree.edges):
                self.gumbel[slot * self.game.max_legal + k] = 0.0
                if self.settings.gumbel_scale > 0.0:
                    self.gumbel[slot * self.game.max_legal + k] = (
                        -self.settings.gumbel_scale * <float>log(-log(next_double(&tree.stream)))
                    )
            return
        if self.settings.dirichlet_fraction <= 0.0:
            return
        for k in range(tree.edges):
            noise[k] = next_gamma(&tree.stream, self.settings.dirichlet_alpha)
            total += noise[k]
        if total <= 0.0:
            return      # every variate underflowed: no noise beats a division by zero
        for k in range(tree.edges):
            edge = self.edge_at(slot, k)
            edge.prior = (1.0 - self.settings.dirichlet_fraction) * edge.prior + (
                self.settings.dirichlet_fraction * <float>(noise[k] / total)
            )

    cdef bint _descend(self, Py_ssize_t slot) noexcept nogil:
        """Goes from the root to a leaf. Returns True if the leaf needs its evaluation, False if its value is exact."""
        cdef int16_t *actions = &self.leaf_actions[slot * self.game.max_legal]
        cdef uint8_t legal[256]
        cdef Tree *tree = &self.trees[slot]
        cdef uint8_t *state = self.leaf_at(slot)
        cdef int node = 0, depth = 0, count = 0, k, mover, chosen
        cdef uint64_t replies = 0
        cdef bint evaluate = True
        cdef Edge *edge
        memcpy(state, tree.root_state, self.game.state_size)
        if tree.believes:
            tree.model = self.beliefs.draw(slot, state, &tree.stream)
        elif not self.fixed:
            self.game.determinize(state, &tree.stream)
        memset(legal, 0, self.game.num_actions)
        while True:
            if depth:
                if self._ends(slot, state):
                    evaluate = False
                    break
                if tree.model >= 0 and self.game.to_move(state) != tree.searcher:
                    k = model_action(self.game, self.agents, tree.model, state, &tree.stream)
                    replies = mix64(replies + <uint64_t>k + 1)
                    self.game.step(state, k)
                    continue
                node = self._child(slot, self.edge_at(slot, chosen), state, replies)
                replies = 0
            count = self.game.legal_actions(state, actions)
            for k in range(count):
                legal[actions[k]] = True
            if depth == 0 and self.settings.root_selection == ROOT_GUMBEL:
                k = min(tree.root_edges, MAX_CONSIDERED, self.settings.max_considered)
                chosen = self._gumbel_edge(slot, self.considered[k * self.settings.simulations + tree.done])
            else:
                chosen = self._best_edge(slot, node, legal, count)
            for k in range(count):
                legal[actions[k]] = False
            if chosen < 0:
                break
            mover = self.game.to_move(state)
            edge = self.edge_at(slot, chosen)
            self.path[slot * self.max_path + depth] = chosen
            self.path_mover[slot * self.max_path + depth] = <uint8_t>mover
            depth += 1
            self.game.step(state, edge.action)
        tree.path_size = depth
        tree.leaf = node
        tree.leaf_legal = count
        return evaluate

    cdef bint _ends(self, Py_ssize_t slot, const uint8_t *state) noexcept nogil:
        """Returns whether the game is over in a position, or solved there. Then the leaf has its value."""
        cdef Tree *tree = &self.trees[slot]
        if self.game.is_terminal(state):
            tree.leaf_value = self.game.outcome(state, self.game.to_move(state))
            return True
        if self.settings.exact_leaves and has_exact_value(self.game, state, tree.model):
            tree.leaf_value = self._solved(slot, state)
            return True
        return False

    cdef float _solved(self, Py_ssize_t slot, const uint8_t *state) noexcept nogil:
        """Returns the exact value for the player to move.

        Values are remembered, because near the endgame few determinizations are left to draw.
        """
        cdef Tree *tree = &self.trees[slot]
        cdef uint64_t key = hash_bytes(state, self.game.state_size)
        if tree.model >= 0:
            key = mix64(key ^ <uint64_t>(2 * tree.model + 1 + tree.searcher))
        cdef KnownLeaf *known = &self.known[slot * KNOWN_LEAVES + <int>(key & (KNOWN_LEAVES - 1))]
        if known.key != key:
            known.value = exact_value(self.game, state, tree.model, tree.searcher)
            known.key = key
        return <float>known.value

    cdef int _child(self, Py_ssize_t slot, Edge *edge, const uint8_t *state, uint64_t replies) noexcept nogil:
        """Returns the node behind an edge, after the model's replies.

        With private nodes it depends on what only its player to move knows, too.
        """
        cdef uint64_t key = replies
        cdef int node = edge.child
        if self.settings.private_nodes and self.game.private_key != NULL:
            key += self.game.private_key(state)
        while node >= 0 and self.node_at(slot, node).key != key:
            node = self.node_at(slot, node).next_node
        if node < 0:
            node = self._new_node(slot, key)
            self.node_at(slot, node).next_node = edge.child
            edge.child = node
        return node

    cdef int _best_edge(self, Py_ssize_t slot, int node_number, const uint8_t *legal, int count) noexcept nogil:
        """Returns the edge that PUCT chooses among the legal ones, or -1 if a legal action has no edge yet."""
        cdef Node *node = self.node_at(slot, node_number)
        cdef Edge *edge
        cdef int number = node.first_edge, matched = 0, visits = 0, best = -1
        cdef float priors = 0.0, score, best_score = -1e30, explore, unvisited
        while number >= 0:
            edge = self.edge_at(slot, number)
            if legal[edge.action]:
                matched += 1
                visits += edge.visits
                priors += edge.prior
                edge.available += 1
            number = edge.next_edge
        if matched < count:
            return -1
        # priors are normalised over the actions that this determinization allows
        priors = self.settings.c_puct / max(priors, 1e-8)
        explore = priors * sqrtf(<float>max(visits, 1))
        unvisited = node.value_sum / node.evaluations
        number = node.first_edge
        while number >= 0:
            edge = self.edge_at(slot, number)
            if legal[edge.action]:
                if self.settings.availability:
                    explore = priors * sqrtf(<float>edge.available)
                score = edge.value_sum / edge.visits if edge.visits else unvisited
                score += explore * edge.prior / (1 + edge.visits)
                # the first one even where values so large that their sums are not numbers compare with nothing
                if best < 0 or score > best_score:
                    best_score = score
                    best = number
            number = edge.next_edge
        return best

    cdef int _gumbel_edge(self, Py_ssize_t slot, int visits) noexcept nogil:
        """Returns, among the root's edges with this many visits, the highest by Gumbel noise + log prior + scaled Q."""
        cdef float scores[256]
        cdef int k, count = self._completed(slot, scores), best = -1
        cdef float score, best_score = -INFINITY
        for k in range(count):
            score = scores[k] + self.gumbel[slot * self.game.max_legal + k]
            if self.edge_at(slot, k).visits == visits and (best < 0 or score > best_score):
                best_score = score
                best = k
        return best

    cdef int _completed(self, Py_ssize_t slot, float *scores) noexcept nogil:
        """Fills log prior + scaled completed Q of the root's edges, which are the slab's first. Returns their number.

        An unvisited action's Q is the mixed value of Danihelka et al. (2022, appendix D).
        """
        cdef Node *root = self.node_at(slot, 0)
        cdef Edge *edge
        cdef int k, count = self.trees[slot].root_edges, visits = 0, most = 0
        cdef float priors = 0.0, weighted = 0.0, mixed = root.value_sum / root.evaluations, scale, q
        for k in range(count):
            edge = self.edge_at(slot, k)
            if edge.visits:
                visits += edge.visits
                most = max(most, edge.visits)
                priors += edge.prior
                weighted += edge.prior * edge.value_sum / edge.visits
        if visits:
            mixed = (mixed + visits * weighted / max(priors, 1e-8)) / (1 + visits)
        # half: the method's Q lies in 0 to 1, a value here in -1 to 1
        scale = 0.5 * (self.settings.c_visit + most) * self.settings.c_scale
        for k in range(count):
            edge = self.edge_at(slot, k)
            q = edge.value_sum / edge.visits if edge.visits else mixed
            scores[k] = logf(max(edge.prior, 1e-12)) + scale * q
        return count

    cdef bint _completed_policy(self, Py_ssize_t slot, float *policy) noexcept nogil:
        """Fills the softmax of log prior + scaled completed Q. Returns False if one of these sums is not finite."""
        cdef float scores[256]
        cdef int k, count = self._completed(slot, scores)
        cdef float top = -INFINITY, total = 0.0
        for k in range(count):
            if not isfinite(scores[k]):
                return False
            top = max(top, scores[k])
        for k in range(count):
            scores[k] = expf(scores[k] - top)
            total += scores[k]
        for k in range(count):
            policy[self.edge_at(slot, k).action] = scores[k] / total
        return True

    cdef void _backup(self, Py_ssize_t slot) noexcept nogil:
        """Adds the leaf's value to every edge of its path, with the sign of the player who chose there."""
        cdef Tree *tree = &self.trees[slot]
        cdef int k, leaf_mover = self.game.to_move(self.leaf_at(slot))
        cdef Edge *edge
        for k in range(tree.path_size):
            edge = self.edge_at(slot, self.path[slot * self.max_path + k])
            edge.visits += 1
            if self.path_mover[slot * self.max_path + k] == leaf_mover:
                edge.value_sum += tree.leaf_value
            else:
                edge.value_sum -= tree.leaf_value
        tree.done += 1
