"""Provides schedules for the game runner, and a plain loop that plays the same games one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from reference.search import Answer, scrambled

from sim_core import (
    Belief,
    Beliefs,
    GameBatch,
    GameRunner,
    LeafBatch,
    RunnerSettings,
    SearchSettings,
    State,
    Trees,
    search,
)
from sim_core.runner_settings import SLIP

GAMES = ("beasty_bar", "connect_four")
Evaluate = Callable[[np.ndarray, np.ndarray], Answer]
OUTSIDE = (None, 0)
GUMBEL = SearchSettings(root_selection="gumbel", policy_target="completed_q", gumbel_scale=0.5)
PLAIN = SearchSettings()
NOISY = SearchSettings(dirichlet_fraction=0.25)

_RNG = np.random.default_rng(7)
_WEIGHTS = _RNG.integers(1, 2**20, (200, 34))


def evaluator(game: str) -> Evaluate:
    """Returns a network that gives each row arbitrary logits and values, exact because computed in integers."""
    if game == "beasty_bar":
        return scrambled

    def evaluate(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        whole = np.rint(observations * 42).astype(np.int64)  # the ply is a multiple of 1/42
        mixed = (whole @ _WEIGHTS[: whole.shape[1], : legal_mask.shape[1] + 1]) % 1_000_003 / 1_000_003 * 2 - 1
        return mixed[:, 1:].astype(np.float32), mixed[:, 0].astype(np.float32)

    return evaluate


class Plan(NamedTuple):
    """Holds the arguments of a runner."""

    game: str
    simulations: int
    search: SearchSettings
    temperature: float
    streams: np.ndarray
    first_player: np.ndarray
    controllers: np.ndarray
    opponents: tuple[tuple[str | None, int], ...]
    opponent_model: str = "none"
    known: tuple[str, ...] | None = None


class Played(NamedTuple):
    """Holds every game's outcome and scores, and the learner's positions with their targets and outcomes."""

    outcomes: np.ndarray
    scores: np.ndarray
    states: np.ndarray
    policies: np.ndarray
    position_outcomes: np.ndarray


def plan(
    game: str = "beasty_bar",
    games: int = 11,
    simulations: int = 8,
    search: SearchSettings = PLAIN,
    temperature: float = 1.0,
    opponents: tuple[tuple[str | None, int], ...] = (),
) -> Plan:
    """Returns self-play where there is no opponent. Else the learner meets each opponent in turn, from both seats."""
    numbers = np.arange(games)
    controllers = np.zeros((games, 2), dtype=np.int64)
    if opponents:
        controllers[numbers, numbers % 2] = 1 + numbers // 2 % len(opponents)
    streams = np.random.default_rng(1).permutation(games) * 3 + 2
    return Plan(game, simulations, search, temperature, streams, numbers // 2 % 2, controllers, opponents)


def leaves_for(plan: Plan, slots: int) -> LeafBatch:
    return LeafBatch(Trees(plan.game, slots, max(plan.simulations, 1)))


def runner_for(plan: Plan, leaves: LeafBatch, **changes: Any) -> GameRunner:
    simulations, search = changes.pop("simulations", plan.simulations), changes.pop("search", plan.search)
    settings = RunnerSettings(simulations, search, opponent_model=plan.opponent_model, known_opponents=plan.known)
    arguments: dict[str, Any] = {
        "temperature": plan.temperature,
        "seed": 5,
        "learner_seed": 9,
        "streams": plan.streams,
        "first_player": plan.first_player,
        "controllers": plan.controllers,
        "opponents": plan.opponents,
        "record": True,
    }
    return GameRunner(leaves, settings, **(arguments | changes))


def middle(batch: GameBatch) -> np.ndarray:
    """Returns an outside opponent's moves: the middle one of the legal actions."""
    mask = batch.legal_mask()
    return np.array([np.flatnonzero(row)[row.sum() // 2] for row in mask], dtype=np.int64)


def kept_by(runner: GameRunner) -> Played:
    record = runner.record
    return Played(record.outcomes, record.scores, record.states, record.policies, record.position_outcomes)


def run(plan: Plan, slots: int, threads: int = 1, leaves: LeafBatch | None = None) -> Played:
    leaves = leaves or leaves_for(plan, slots)
    runner, evaluate = runner_for(plan, leaves), evaluator(plan.game)
    while not runner.is_done:
        rows = runner.advance(threads)
        for number, opponent in enumerate(plan.opponents):
            if opponent[0] is None:
                waiting, _ = runner.outside(number)
                runner.play(waiting, middle(runner.positions(waiting)))
        if rows:
            leaves.evaluate(evaluate, rows, threads)
    return kept_by(runner)


# ---------------------------------------------------------------------- the same games, one by one


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(), dtype=np.float32)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def drawn(policy: np.ndarray, temperature: float, uniform: float) -> int:
    """Returns the action that one uniform number draws. Temperature 0 takes the first best action."""
    if temperature == 0.0:
        return int(policy.argmax())
    weights = (policy.astype(np.float64) / policy.max()) ** (1 / temperature)
    return int(np.searchsorted(np.cumsum(weights), uniform * weights.sum(), side="right"))


def prior_of(plan: Plan, batch: GameBatch) -> np.ndarray:
    """Returns the network's policy over the actions of a batch of one game."""
    legal = batch.legal_mask()
    logits, _ = evaluator(plan.game)(batch.observe(), legal)
    policy = np.zeros(batch.num_actions, dtype=np.float32)
    policy[legal[0]] = softmax(logits[0, legal[0]])
    return policy


def model_of(plan: Plan, other: int) -> str | None:
    """Returns the built-in opponent that the learner expects from the other side's controller."""
    if other == 0 or plan.opponent_model in ("none", "infer"):
        return None
    return plan.opponents[other - 1][0] if plan.opponent_model == "told" else plan.opponent_model


def is_solved(batch: GameBatch, model: str | None, belief: Belief | None = None) -> bool:
    """Returns whether a batch of one game needs no search: opponents of less than 5 % do not stand in the way."""
    expected = {model: 1.0} if belief is None or belief.is_lost else belief.opponent_probabilities()
    solved = {name: _is_solved_against(batch, name) for name in expected}
    return any(solved.values()) and all(solved[name] or share < 0.05 for name, share in expected.items())


def _is_solved_against(batch: GameBatch, model: str | None) -> bool:
    if model is None or not batch.is_solvable[0]:
        return bool(batch.is_solvable[0])
    try:
        batch.handle.best_responses(model, batch.state(0).data)
    except ValueError:
        return False
    return True


def belief_of(plan: Plan, number: int, batch: GameBatch, beliefs: Beliefs) -> Belief | None:
    """Returns what the learner of a game believes at its deal, if it expects an opponent and cards are hidden."""
    seats = plan.controllers[number]
    model = model_of(plan, int(seats.max()))
    infers = plan.opponent_model == "infer"
    if (seats == 0).sum() != 1 or (model is None and not infers):
        return None
    names = (*(plan.known or batch.handle.opponents), None) if infers else (model,)
    deal, observer = batch.state(0).data, int(seats.argmin())
    return Belief(plan.game, deal, observer, names, SLIP if infers else 0.0, beliefs=beliefs, slot=0)


def opinion(plan: Plan, belief: Belief, state: bytes, action: int, stream: int) -> float | None:
    """Returns how likely nobody known plays an action: as the network would, mixed with 0.1 of random play."""
    if plan.opponent_model != "infer":
        return None
    batches = [
        GameBatch.from_states([State(imagined, plan.game)]) for imagined in belief.imagine(state, action, 9, stream)
    ]
    return float(np.mean([0.9 * float(prior_of(plan, b)[action]) + 0.1 / b.legal_mask().sum() for b in batches]))


def learners_move(
    plan: Plan, batch: GameBatch, record: bool, model: str | None, beliefs: Beliefs | None, belief: Belief | None
) -> tuple[int, np.ndarray]:
    """Returns what the learner plays in a batch of one game, and the policy target it keeps."""
    uniform = float(batch.uniforms(9)[0])
    if plan.simulations == 0:
        policy = prior_of(plan, batch)
        return drawn(policy, plan.temperature, uniform), np.zeros_like(policy)
    found = search(
        batch, evaluator(plan.game), plan.simulations, seed=9, settings=plan.search, opponents=model, beliefs=beliefs
    )
    policy, settled = found.policy[0], int(found.actions[0])
    if is_solved(batch, model, belief):
        if record:
            # the prior's preference among the best actions stays
            policy = np.where(policy > 0, np.maximum(prior_of(plan, batch), np.float32(1e-6)), np.float32(0))
            policy = policy / np.cumsum(policy)[-1]
        plays_settled = plan.temperature == 0.0
    else:
        plays_settled = plan.search.root_selection == "gumbel"
    return settled if plays_settled else drawn(policy, plan.temperature, uniform), policy


def one_by_one(plan: Plan, record: bool = True) -> Played:
    outcomes, scores, kept = [], [], []
    for number, stream in enumerate(plan.streams.tolist()):
        batch = GameBatch(1, 5, game=plan.game, first_player=int(plan.first_player[number]), streams=[stream])
        mine = []
        beliefs = None if plan.game == "connect_four" else Beliefs(plan.game, 1, 11)
        belief = None if beliefs is None else belief_of(plan, number, batch, beliefs)
        while not batch.is_terminal[0]:
            mover = int(batch.to_move[0])
            controller = int(plan.controllers[number, mover])
            if controller == 0:
                model = model_of(plan, int(plan.controllers[number, 1 - mover]))
                action, policy = learners_move(plan, batch, record, model, beliefs, belief)
                mine.append((batch.packed()[0], policy, mover))
            else:
                name, seed = plan.opponents[controller - 1]
                action = int(middle(batch)[0] if name is None else batch.opponent_actions(name, seed)[0])
                if belief is not None:
                    state = batch.state(0).data
                    belief.observe(state, action, opinion(plan, belief, state, action, stream))
            batch.step([action])
        outcome = int(batch.outcomes()[0])
        outcomes.append(outcome)
        scores.append(batch.scores()[0])
        kept += [(state, policy, outcome if mover == 0 else -outcome) for state, policy, mover in mine]
    states, policies, ends = zip(*kept, strict=True)
    return Played(*map(np.array, (outcomes, scores, states, policies, ends)))


def check_same(found: Played, expected: Played) -> None:
    for part, one, other in zip(Played._fields, found, expected, strict=True):
        assert one.shape == other.shape, part
        assert (one == other).all(), part


def check_same_as_one_by_one(wanted: Plan, found: Played, expected: Played) -> None:
    """Compares with a tolerance where a target is made of the prior: numpy's exponential differs in C's last bit."""
    solved = GameBatch.from_packed(expected.states, game=wanted.game).is_solvable
    assert np.abs(found.policies[solved] - expected.policies[solved]).max(initial=0) < 1e-6
    policies = np.where(solved[:, None], expected.policies, found.policies)
    check_same(found._replace(policies=policies), expected)
