"""Plays a schedule of games in slots that never wait for one another: every network call takes one leaf of each.

A slot searches for the learner's moves, plays solved moves and those of built-in opponents at once, and takes the next
game of the schedule when its game is over. So the network's batches stay full, and no Python runs between two calls.
A learner that finds out which opponent it plays asks the network about the other side's moves, too.
"""
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

import numpy as np

from sim_core import _arguments
from sim_core.agent_models cimport AgentModels
from sim_core.batch import GameBatch
from sim_core.expectations cimport SELF_PLAY, Expectations
from sim_core.tree_search.solved_roots cimport (
    FIRST_AGENT, NO_MODEL, Mixture, SolvedRoot, expected_actions, hardest_action, keep_solvable,
)
from sim_core.game_record cimport GameRecord
from sim_core.tree_search.leaves cimport LeafBatch
from sim_core.rng cimport (
    PURPOSE_BELIEF, PURPOSE_DEAL, PURPOSE_OPENING, PURPOSE_OPPONENT, PURPOSE_SAMPLE, PURPOSE_SEARCH, Stream,
    make_stream,
)
from sim_core.runner_settings import RunnerSettings
from sim_core.sampling cimport play_opening, sample
from sim_core.state import Action, State


cdef inline double now() noexcept nogil:
    cdef timespec moment
    clock_gettime(CLOCK_MONOTONIC, &moment)
    return moment.tv_sec + 1e-9 * moment.tv_nsec


cdef class GameRunner:
    """Plays the games of a schedule to their ends.

    Args:
        leaves: Slots, trees and buffers. The next runner can use them again.
        settings: `RunnerSettings`. The trees must have room for its simulations.
        temperature: Temperature at which the learner's moves are sampled from its policy. 0 plays the best action.
            A Gumbel root ignores it and plays what halving settles on: there `gumbel_scale` takes its place.
        seed: Random seed of the deals. Game i is dealt from the stream (seed, streams[i]).
        learner_seed: Random seed of searches and sampled moves.
        streams: Stream numbers, int64 [m]. Games with the same number have the same deal.
        first_player: Player who begins, 0 or 1 [m].
        controllers: Who plays which seat, int [m, 2]. 0 is the learner, k is opponent number k - 1.
        opponents: (name, seed) of each built-in opponent. (None, 0) is one outside the engine: `play` takes its moves.
            (agent, 0) is one outside, too; a learner that is told its opponent asks this `AgentModel` how it plays.
        record: Whether to keep the learner's positions and policy targets.
        keys: Whether to keep a key of each game, see `GameRecord`.
        opening_plies: Random plies that each game begins with, before its players move. They are drawn from the stream
            (seed, streams[i]), so games with the same number have the same opening. None of them ends the game.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """

    def __cinit__(
        self, LeafBatch leaves not None, settings, *, double temperature, seed, learner_seed, streams, first_player,
        controllers, opponents=(), bint record=False, bint keys=False, opening_plies=0,
    ):
        handle = leaves.trees.handle
        if not isinstance(settings, RunnerSettings):
            raise ValueError(f"settings: {type(settings).__name__} given, expected RunnerSettings")
        if not 0.0 <= temperature < INFINITY:
            raise ValueError(f"temperature: {temperature} given, expected 0 (the best action) or more")
        self.leaves = leaves
        self.trees = leaves.trees
        self.game = leaves.game
        self.slots = leaves.slots
        self.simulations = settings.simulations
        self.expectations = Expectations(handle, self.slots, settings)
        self.chosen = np.zeros(self.slots, dtype=np.int32)
        self.temperature = temperature
        self.opening_plies = _arguments.integer("opening_plies", opening_plies, 0, self.game.max_plies - 1)
        self.seed = _arguments.seed(seed)
        self.learner_seed = _arguments.integer(
            "learner_seed", learner_seed, 0, 2**64 - 1, "an integer from 0 to 2**64 - 1"
        )
        self.streams = _arguments.integers("streams", streams, None, 0, 2**63 - 1)
        cdef Py_ssize_t m = self.streams.shape[0]
        self.games = m
        self.first_player = _arguments.integers("first_player", first_player, m, 0, 1)
        seats = _arguments.array("controllers", controllers)
        if seats.shape != (m, 2):
            raise ValueError(f"controllers: shape {seats.shape} given, expected ({m}, 2)")
        seats = _arguments.integers("controllers", np.ascontiguousarray(seats).reshape(-1), 2 * m, 0, len(opponents))
        self.controllers = seats.reshape(m, 2)
        agents = AgentModels(handle) if self.expectations.beliefs is None else self.expectations.beliefs.agents
        self.kinds = agents.numbers([given for given, _ in opponents])
        self.opponent_seeds = np.array([_arguments.seed(key) for _, key in opponents], dtype=np.uint64)
        self.states = np.zeros((self.slots, self.game.state_size), dtype=np.uint8)
        self.keeps_turns = any([not isinstance(given, str) for given, _ in opponents]) and self.opening_plies == 0
        room = self.game.max_plies if self.keeps_turns else 0
        self.turns = np.empty((self.slots, room, self.game.state_size), dtype=np.uint8)
        self.played = np.empty((self.slots, room), dtype=np.int16)
        self.observed = np.zeros((self.slots, (self.game.observation_size + 1) // 2 * 2), dtype=np.float32)
        self.numbers = np.full(self.slots, -1, dtype=np.int64)
        self.plies = np.zeros(self.slots, dtype=np.int64)
        self.phase = np.full(self.slots, EMPTY, dtype=np.uint8)
        self.opponent_seconds = np.zeros(self.slots)
        self.searched = np.zeros(self.slots, dtype=np.int64)
        self.record = GameRecord(
            handle, m, keeps_positions=record, wants_exact=settings.value_target == "endgame", keeps_keys=keys,
            condition_size=leaves.condition_size,
        )
        with self.trees.in_use:
            if settings.simulations:
                self.trees.set(settings.search, settings.simulations)
            self.trees.owner += 1
            self.number = self.trees.owner
            self.trees.beliefs = self.expectations.beliefs
            self.trees.agents = agents

    cdef int _check_owner(self) except -1:
        """Raises RuntimeError if the trees are those of another runner or search by now."""
        if self.number != self.trees.owner:
            raise RuntimeError("leaves: another runner or search took them; expected one at a time, or leaves for each")
        return 0

    # -- one step: every slot goes on until it needs an answer --------------------------------------------------------

    def advance(self, threads=1) -> int:
        """Takes the network's answers, and plays on until every game waits for one or is over.

        A slot whose game has ended takes the next game at the next call, so 0 leaves may wait before `is_done`.

        Args:
            threads: Threads to play with.

        Returns:
            Number of leaves that wait for the network.

        Raises:
            ValueError: The leaves of the last call have not been evaluated, or the answer holds NaN or infinity.
            RuntimeError: Another thread plays these games now, or another runner has taken the leaves.
        """
        with self.trees.in_use, self.record.in_use:
            self._check_owner()
            return self._advance(threads)

    cdef int _advance(self, threads) except -1:
        cdef Py_ssize_t slot
        for slot in range(self.slots):
            if self._waits(slot):
                self.leaves.check_answered()
                break
        for slot in range(self.slots):
            if self.phase[slot] == EMPTY and self.next_game < self.games:
                self._deal(slot)
        self.leaves.advance(self._go_on, threads)
        self.finished = self.next_game
        for slot in range(self.slots):
            if self.phase[slot] != EMPTY:
                self.finished -= 1
        return self.leaves.gather()

    @property
    def is_done(self) -> bool:
        """Returns whether all games are over."""
        return self.finished == self.games

    cdef void _deal(self, Py_ssize_t slot) noexcept:
        cdef Py_ssize_t number = self.next_game
        cdef Stream stream = make_stream(self.seed, PURPOSE_DEAL, <uint64_t>self.streams[number], 0)
        self.next_game += 1
        self.numbers[slot] = number
        self.plies[slot] = 0
        self.phase[slot] = TO_MOVE
        self.game.initial(&self.states[slot, 0], &stream, <int>self.first_player[number])
        stream = make_stream(self.seed, PURPOSE_OPENING, <uint64_t>self.streams[number], 0)
        play_opening(self.game, &self.states[slot, 0], self.opening_plies, &stream)
        cdef const int64_t *seats = &self.controllers[number, 0]
        cdef int searcher = 0 if seats[0] == LEARNER else 1
        cdef int64_t other = seats[1 - searcher]
        self.expectations.begin(
            slot, &self.states[slot, 0], searcher, SELF_PLAY if other == LEARNER else self.kinds[other - 1]
        )

    cdef bint _waits(self, Py_ssize_t slot) noexcept nogil:
        """Returns whether a slot waits for the network."""
        return self.phase[slot] == ROOT or self.phase[slot] == LEAF or self.phase[slot] == ASKING

    def _go_on(self, Py_ssize_t low, Py_ssize_t high):
        cdef Py_ssize_t slot
        cdef int bad = 0
        with nogil:
            for slot in range(low, high):
                self.trees.expect(slot + 2)
                bad += not self._answer(slot)
                while self.phase[slot] == TO_MOVE or self.phase[slot] == CHOSEN:
                    if self.phase[slot] == CHOSEN:
                        self._conclude(slot)
                    else:
                        self._move(slot)
                self.leaves.waiting[slot] = self._waits(slot)
        return bad

    cdef bint _answer(self, Py_ssize_t slot) noexcept nogil:
        """Takes the network's answer if the slot waits for one. Returns False if the answer is not finite."""
        cdef const float *logits
        if not self._waits(slot):
            return True
        logits = &self.leaves.logits[self.leaves.row[slot], 0]
        if self.phase[slot] == ASKING:
            return self._take_opinion(slot, logits)
        if self.phase[slot] == ROOT and self.simulations == 0:
            return self._play_policy(slot, logits)
        if self.phase[slot] == ROOT and self._is_solved(slot):
            return self._play_solved(slot, logits)
        if not self.trees.absorb(slot, logits, self.leaves.values[self.leaves.row[slot]]):
            return False
        self.phase[slot] = LEAF
        if not self.trees.run(slot):
            return self._play_searched(slot)
        return True

    cdef void _move(self, Py_ssize_t slot) noexcept nogil:
        """Makes the next move, or notes what the slot waits for."""
        cdef const uint8_t *state = &self.states[slot, 0]
        cdef Py_ssize_t number = self.numbers[slot]
        cdef int mover = self.game.to_move(state), controller = <int>self.controllers[number, mover]
        cdef int searcher = mover if controller == LEARNER else 1 - mover
        if self.record.keeps_keys:
            self.record.add_to_key(number, state, controller, &self.observed[slot, 0])
        self.plies[slot] = self.game.ply(state)
        if self.game.is_terminal(state):
            self.record.end(number, state)
            self.phase[slot] = EMPTY
            return
        self.record.see(number, state, self.expectations.target(slot), searcher)
        if controller != LEARNER:
            self._opponent(slot, controller - 1)
        elif self.simulations and not self.record.keeps_positions and self._is_solved(slot):
            self._play_solved(slot, NULL)
        else:
            self.phase[slot] = ROOT
            self._tell(slot, True)
            self.trees.begin(
                slot, state, self._stream(slot, self.learner_seed, PURPOSE_SEARCH), self.expectations.model(slot),
                self.expectations.believes[slot],
            )

    cdef void _tell(self, Py_ssize_t slot, bint learner) noexcept nogil:
        """Writes what the network is told in a slot. Of the other side's positions it is told nothing."""
        if self.leaves.condition_size:
            self.expectations.tell(slot, learner, &self.leaves.condition[slot, 0], <int>self.leaves.condition_size)

    cdef bint _is_solved(self, Py_ssize_t slot) noexcept nogil:
        """Returns whether the learner's position has an exact value, so that it needs no search."""
        cdef Mixture mixture
        if not self.game.is_solvable(&self.states[slot, 0]):
            return False
        self.expectations.mixture(slot, &mixture)
        return keep_solvable(self.game, &self.states[slot, 0], &mixture)

    cdef Stream _stream(self, Py_ssize_t slot, uint64_t seed, int purpose) noexcept nogil:
        """Returns the stream of this game's ply, which depends on neither the slot nor the schedule's order."""
        cdef uint64_t number = <uint64_t>self.streams[self.numbers[slot]]
        return make_stream(seed, purpose, number, self.game.ply(&self.states[slot, 0]))

    cdef void _opponent(self, Py_ssize_t slot, int opponent) noexcept nogil:
        cdef double start
        cdef Stream stream
        if not 0 <= self.kinds[opponent] < FIRST_AGENT:
            self.phase[slot] = OUTSIDE
            return
        start = now()
        stream = self._stream(slot, self.opponent_seeds[opponent], PURPOSE_OPPONENT)
        self.chosen[slot] = self.game.opponent_action(self.kinds[opponent], &self.states[slot, 0], &stream)
        self.phase[slot] = CHOSEN
        self.opponent_seconds[slot] += now() - start

    cdef void _conclude(self, Py_ssize_t slot) noexcept nogil:
        """Lets the learner draw its conclusions from the other side's action, and plays it."""
        cdef Stream stream = self._stream(slot, self.learner_seed, PURPOSE_BELIEF)
        if self.expectations.asks(slot, &self.states[slot, 0], self.chosen[slot], stream):
            self._ask(slot)
            return
        self.expectations.observe(slot, &self.states[slot, 0], self.chosen[slot])
        self._step(slot, self.chosen[slot])

    cdef void _ask(self, Py_ssize_t slot) noexcept nogil:
        """Lets the network say what it would play in the other side's place, with a hand that may be there."""
        cdef const uint8_t *position = self.expectations.imagine(slot, &self.states[slot, 0])
        self._tell(slot, False)
        self.trees.begin(slot, position, self._stream(slot, self.learner_seed, PURPOSE_SEARCH), NO_MODEL, False)
        self.phase[slot] = ASKING

    cdef bint _take_opinion(self, Py_ssize_t slot, const float *logits) noexcept nogil:
        """Takes the network's answer to `_ask`. Returns False if it is not finite."""
        cdef float policy[256]
        cdef int action = self.chosen[slot]
        if not self.trees.network_policy(slot, logits, policy):
            return False
        if self.expectations.take(
            slot, &self.states[slot, 0], action, policy[action], self.trees.trees[slot].leaf_legal
        ):
            self._ask(slot)
        else:
            self._step(slot, action)
        return True

    cdef void _step(self, Py_ssize_t slot, int action) noexcept nogil:
        """Plays an action, of whichever player."""
        cdef uint8_t *state = &self.states[slot, 0]
        cdef int ply = self.game.ply(state)
        if self.keeps_turns:
            memcpy(&self.turns[slot, ply, 0], state, self.game.state_size)
            self.played[slot, ply] = <int16_t>action
        self.game.step(state, action)
        self.phase[slot] = TO_MOVE

    # -- the learner's moves -----------------------------------------------------------------------------------------

    cdef bint _play_searched(self, Py_ssize_t slot) noexcept nogil:
        """Plays the move that was searched for. Returns False if the search's values or policy are not finite."""
        cdef int32_t counts[256]
        cdef float policy[256]
        cdef float value
        cdef int settled = self.trees.finish(slot, counts, policy, &value)
        if settled < 0:
            return False
        self.searched[slot] += 1
        self._learner_plays(slot, policy, True, settled if self.trees.plays_settled() else -1, value)
        return True

    cdef bint _play_solved(self, Py_ssize_t slot, const float *logits) noexcept nogil:
        """Plays an action that keeps the exact value. Returns False if the network's prior is not finite.

        The network's prior chooses among such actions where it was asked. At temperature 0 the hardest one to answer
        is played. Only positions to learn from ask the network: their target keeps its preference among equally good
        actions, because lost positions, where all are equally good, would drift to a uniform policy otherwise.
        """
        cdef int16_t actions[256]
        cdef uint8_t optimal[256]
        cdef float policy[256]
        cdef const uint8_t *state = &self.states[slot, 0]
        cdef Mixture mixture
        cdef SolvedRoot root
        cdef float total = 0.0
        cdef int k
        self.expectations.mixture(slot, &mixture)
        keep_solvable(self.game, state, &mixture)
        root = expected_actions(self.game, state, &mixture, actions, optimal)
        if logits != NULL:
            if not self.trees.network_policy(slot, logits, policy):
                return False
        else:
            memset(policy, 0, self.game.num_actions * sizeof(float))
        for k in range(root.count):
            policy[actions[k]] = max(policy[actions[k]], 1e-6) if optimal[k] else 0.0
            total += policy[actions[k]]
        for k in range(root.count):
            policy[actions[k]] /= total
        k = -1
        if self.temperature == 0.0:
            k = hardest_action(self.game, state, actions, optimal, root.count)
        self._learner_plays(slot, policy, True, k, root.value)
        return True

    cdef bint _play_policy(self, Py_ssize_t slot, const float *logits) noexcept nogil:
        """Plays from the network's raw policy, which is no target to learn from."""
        cdef float policy[256]
        if not self.trees.network_policy(slot, logits, policy):
            return False
        self._learner_plays(slot, policy, False, -1, NAN)
        return True

    cdef void _learner_plays(
        self, Py_ssize_t slot, const float *policy, bint is_target, int action, float value
    ) noexcept nogil:
        """Records the position and plays the action. -1: an action sampled from the policy."""
        cdef const uint8_t *state = &self.states[slot, 0]
        cdef Py_ssize_t number = self.numbers[slot]
        cdef Stream stream
        self.record.keep(
            number, state, policy if is_target else NULL, value, self.expectations.target(slot),
            &self.leaves.condition[slot, 0] if self.leaves.condition_size else NULL,
        )
        if action < 0:
            stream = self._stream(slot, self.learner_seed, PURPOSE_SAMPLE)
            action = sample(policy, self.game.num_actions, self.temperature, &stream)
        self._step(slot, action)

    # -- opponents outside -------------------------------------------------------------------------------------------

    def outside(self, opponent):
        """Finds the games that wait for an opponent outside the engine.

        Args:
            opponent: Number of the opponent.

        Returns:
            The slots in which it is to move, int64 [k], and the number of slots that hold a game against it.

        Raises:
            RuntimeError: Another thread plays these games now.
        """
        with self.trees.in_use:
            phase, numbers = np.asarray(self.phase), np.asarray(self.numbers)
            playing = np.flatnonzero(phase != EMPTY)
            seats = np.asarray(self.controllers)[numbers[playing]]
            against = playing[(seats == opponent + 1).any(axis=1)]
            waiting = against[phase[against] == OUTSIDE]
            mover = np.array([self.game.to_move(&self.states[<Py_ssize_t>slot, 0]) for slot in waiting], np.int64)
            return waiting[np.asarray(self.controllers)[numbers[waiting], mover] == opponent + 1], len(against)

    def positions(self, slots):
        """Returns the games in these slots as a `GameBatch`, with their stream numbers.

        Raises:
            RuntimeError: Another thread plays these games now.
        """
        with self.trees.in_use:
            return self._positions(slots)

    cdef _positions(self, slots):
        rows = np.asarray(_arguments.integers("slots", slots, None, 0, self.slots - 1))
        return GameBatch.from_packed(
            np.asarray(self.states)[rows], game=self.leaves.trees.handle.name, seed=self.seed,
            streams=np.asarray(self.streams)[np.asarray(self.numbers)[rows]],
        )

    def histories(self, slots) -> list:
        """Returns what was played so far in the slots' games, a list of (State, Action) for each, from the first turn.

        They are empty where games begin with an opening, which nobody chose, or without opponents outside the engine.

        Raises:
            RuntimeError: Another thread plays these games now.
        """
        game, turns, played = self.leaves.trees.handle.name, np.asarray(self.turns), np.asarray(self.played)
        with self.trees.in_use:
            return [
                [
                    (State(turns[slot, ply].tobytes(), game), Action(int(played[slot, ply]), game))
                    for ply in range(self.plies[<Py_ssize_t>slot] if self.keeps_turns else 0)
                ]
                for slot in np.asarray(_arguments.integers("slots", slots, None, 0, self.slots - 1)).tolist()
            ]

    def play(self, slots, actions):
        """Plays the moves of opponents outside the engine.

        Args:
            slots: Slots in which such an opponent is to move [k], each once.
            actions: Ids of its actions [k].

        Raises:
            ValueError: An action is not legal, or no outside opponent is to move in a slot. Then no game has changed.
            RuntimeError: Another thread plays these games now.
        """
        with self.trees.in_use:
            self._play(slots, actions)

    cdef int _play(self, slots, actions) except -1:
        cdef const int64_t[::1] rows = _arguments.integers("slots", slots, None, 0, self.slots - 1)
        given = np.asarray(rows)
        # a move in a slot that waits for the network would leave its tree with the root of another position
        if (np.asarray(self.phase)[given] != OUTSIDE).any() or len(np.unique(given)) != len(given):
            raise ValueError(f"slots: {given} given, expected slots that `outside` returned, each once")
        batch = self._positions(rows)
        cdef const int64_t[::1] ids = _arguments.integers("actions", actions, len(given), 0, self.game.num_actions - 1)
        batch.step(ids)      # refuses what is not legal, before any game has changed
        cdef Py_ssize_t k
        for k in range(rows.shape[0]):
            self.chosen[rows[k]] = <int32_t>ids[k]
            self.phase[rows[k]] = CHOSEN
            if not self.expectations.wonders(rows[k]):
                self._conclude(rows[k])     # otherwise `advance` does, which lets the network be asked
        return 0

    # -- what came of it ---------------------------------------------------------------------------------------------

    @property
    def seconds(self) -> dict:
        """Returns the seconds spent in: forward (the network), tree, opponents (built-in ones), encoding."""
        opponents = float(np.asarray(self.opponent_seconds).sum())
        return self.leaves.seconds | {"opponents": opponents, "tree": self.leaves.seconds["tree"] - opponents}

    @property
    def simulations_done(self) -> int:
        """Returns the number of simulations that the learner's searches have made."""
        return int(np.asarray(self.searched).sum()) * self.simulations

    @property
    def progress(self) -> float:
        """Returns the games played so far. A running game counts as the part of it that is played."""
        cdef Py_ssize_t slot
        cdef double played = self.finished
        for slot in range(self.slots):
            if self.phase[slot] != EMPTY:
                played += self.plies[slot] / <double>self.game.max_plies
        return played
