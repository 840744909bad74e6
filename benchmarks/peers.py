"""Compares the search with published ones: mctx, mctx on pgx's connect four, and OpenSpiel's. ``search.py`` runs it.

Nothing else needs them. The extra `peers` installs them.
"""

from __future__ import annotations

import importlib.util
import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from cases import Case, Work, fastest
from engine import neutral

from lit_trainer import ResidualMLP, make_evaluator
from sim_core import GameBatch, Searcher, SearchSettings, get_game, ismcts

PEERS = {"mctx": "mctx", "pgx": "pgx", "OpenSpiel": "pyspiel"}
"""Name to the module that Python imports."""
BATCHES = (64, 256, 1024)
"""Numbers of games side by side. Each search gets the one with which it is fastest."""
ROOTS = {
    "PUCT": SearchSettings(dirichlet_fraction=0.25),
    "Gumbel": SearchSettings(root_selection="gumbel", policy_target="completed_q", gumbel_scale=1.0),
}
MCTX = {"PUCT": "muzero_policy", "Gumbel": "gumbel_muzero_policy"}
WIDTH, BLOCKS = 256, 4


def is_installed(peer: str) -> bool:
    return importlib.util.find_spec(PEERS[peer]) is not None


def install_hint() -> str:
    return "pip install -c constraints.txt -e '.[peers]'"


@contextmanager
def one_core() -> Iterator[None]:
    """Keeps this thread, and all that it starts, on one core. XLA is told to use one thread, too."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def ours(game: str, settings: SearchSettings, simulations: int, evaluate: Any, seconds: float) -> tuple[int, Work]:
    """Returns the fastest batch size, and its work: searches from the deal, counted in moves."""

    def make(games: int) -> Work:
        batch, seeds = GameBatch(games, 3, game=game), count()
        buffer = evaluate.observation_buffer(games) if hasattr(evaluate, "observation_buffer") else None
        searcher = Searcher(games, simulations, game=game, observations=buffer)

        def work() -> int:
            searcher.search(batch, evaluate, seed=next(seeds), settings=settings)
            return games

        return work

    return fastest(make, BATCHES, seconds)


def _times(work: Work, each: int) -> Work:
    return lambda: work() * each


# ---------------------------------------------------------------------- mctx: the tree alone


def mctx_search(root: str, actions: int, simulations: int, seconds: float) -> tuple[int, Work]:
    """Returns the fastest batch size, and its work: searches of mctx without a game, counted in moves.

    A step is free there, because all logits and values are zero.
    """
    import jax
    import jax.numpy as jnp
    import mctx

    def recurrent(_params: Any, _key: Any, taken: Any, embedding: Any) -> Any:
        games = len(taken)
        zeros = jnp.zeros(games)
        answer = mctx.RecurrentFnOutput(
            reward=zeros, discount=-jnp.ones(games), prior_logits=jnp.zeros((games, actions)), value=zeros
        )
        return answer, embedding

    def make(games: int) -> Work:
        @jax.jit
        def search(key: Any) -> Any:
            start = mctx.RootFnOutput(
                prior_logits=jnp.zeros((games, actions)), value=jnp.zeros(games), embedding=jnp.zeros((games, 1))
            )
            return getattr(mctx, MCTX[root])(None, key, start, recurrent, num_simulations=simulations).action_weights

        return _waited_for(search, games)

    return fastest(make, BATCHES, seconds)


def _waited_for(search: Callable[[Any], Any], games: int) -> Work:
    import jax

    seeds = count()

    def work() -> int:
        search(jax.random.key(next(seeds))).block_until_ready()
        return games

    return work


def mctx_cases(simulations: int, seconds: float) -> list[Case]:
    """Returns cases counted in simulations. Only ours also follow a game's rules and encode observations."""
    cases = []
    for root, settings in ROOTS.items():
        for game in ("connect_four", "beasty_bar"):
            actions = get_game(game).num_actions
            games, work = ours(game, settings, simulations, neutral, seconds)
            label = f"ours, {root}, {game} of {actions} actions, {games} games"
            cases.append(Case(label, _times(work, simulations)))
            for number in (actions,) if game == "connect_four" else (actions, 100):
                games, work = mctx_search(root, number, simulations, seconds)
                what = f"mctx {MCTX[root]}, {number} actions, {games} games"
                cases.append(Case(what, _times(work, simulations), ours=[label]))
    return cases


# ---------------------------------------------------------------------- mctx on pgx's connect four


def _jax_network(observation_size: int, actions: int) -> tuple[Any, Callable[[Any, Any], tuple[Any, Any]]]:
    """Returns weights of a residual MLP of our shape, and a function of weights and observations: logits and values."""
    import jax
    import jax.numpy as jnp

    generator = np.random.default_rng(0)

    def layer(rows: int, columns: int) -> Any:
        return jnp.asarray(generator.normal(0, rows**-0.5, (rows, columns)), dtype=jnp.float32), jnp.zeros(columns)

    def linear(x: Any, weights: Any) -> Any:
        return x @ weights[0] + weights[1]

    def norm(x: Any, weights: Any) -> Any:
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * weights[0] + weights[1]

    norms = [(jnp.ones(WIDTH), jnp.zeros(WIDTH)) for _ in range(BLOCKS + 1)]
    blocks = [(layer(WIDTH, WIDTH), layer(WIDTH, WIDTH)) for _ in range(BLOCKS)]
    heads = layer(WIDTH, actions), layer(WIDTH, 64), layer(64, 1)

    def forward(weights: Any, x: Any) -> tuple[Any, Any]:
        stem, norms, blocks, (policy, hidden, value) = weights
        x = linear(x, stem)
        for before, (inner, outer) in zip(norms, blocks, strict=False):
            x = x + linear(jax.nn.relu(linear(norm(x, before), inner)), outer)
        x = jax.nn.relu(norm(x, norms[-1]))
        return linear(x, policy), jnp.tanh(linear(jax.nn.relu(linear(x, hidden)), value))[:, 0]

    return (layer(observation_size, WIDTH), norms, blocks, heads), forward


def pgx_search(simulations: int, with_network: bool, seconds: float) -> tuple[int, Work]:
    """Returns the fastest batch size, and its work: mctx's Gumbel search on pgx's connect four, counted in moves.

    Searches begin at the empty board.
    """
    import jax
    import jax.numpy as jnp
    import mctx
    import pgx

    env = pgx.make("connect_four")
    step = jax.vmap(env.step)
    weights, network = _jax_network(math.prod(env.observation_shape), env.num_actions)

    def evaluate(weights: Any, states: Any) -> tuple[Any, Any]:
        games = len(states.terminated)
        logits, values = jnp.zeros((games, env.num_actions)), jnp.zeros(games)
        if with_network:
            logits, values = network(weights, states.observation.reshape(games, -1).astype(jnp.float32))
        logits = jnp.where(states.legal_action_mask, logits, jnp.finfo(jnp.float32).min)
        return logits, jnp.where(states.terminated, 0.0, values)

    def recurrent(weights: Any, _key: Any, taken: Any, states: Any) -> Any:
        movers = states.current_player
        states = step(states, taken)
        logits, values = evaluate(weights, states)
        rewards = states.rewards[jnp.arange(len(taken)), movers]
        discount = jnp.where(states.terminated, 0.0, -1.0)
        answer = mctx.RecurrentFnOutput(reward=rewards, discount=discount, prior_logits=logits, value=values)
        return answer, states

    def make(games: int) -> Work:
        states = jax.jit(jax.vmap(env.init))(jax.random.split(jax.random.key(0), games))

        @jax.jit
        def search(weights: Any, key: Any) -> Any:
            logits, values = evaluate(weights, states)
            start = mctx.RootFnOutput(prior_logits=logits, value=values, embedding=states)
            return mctx.gumbel_muzero_policy(
                weights, key, start, recurrent, simulations, invalid_actions=~states.legal_action_mask
            ).action_weights

        return _waited_for(partial(search, weights), games)

    return fastest(make, BATCHES, seconds)


def pgx_cases(simulations: int, seconds: float) -> list[Case]:
    """Returns cases counted in moves: the same game and search budget, with no network and with one of equal shape."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = ResidualMLP("connect_four", WIDTH, BLOCKS).eval()
    # all of one precision: XLA's is fp32, too
    kinds = ["torch", *(["onnx_fp32"] if importlib.util.find_spec("onnxruntime") else [])]
    answers: dict[str, list[tuple[str, Any]]] = {
        "no network": [("neutral", neutral)],
        f"residual MLP {WIDTH} x {BLOCKS}": [(kind, make_evaluator(network, kind)) for kind in kinds],
    }
    cases = []
    for name, evaluators in answers.items():
        labels = []
        for kind, evaluate in evaluators:
            games, work = ours("connect_four", ROOTS["Gumbel"], simulations, evaluate, seconds)
            labels.append(f"ours, Gumbel, {name} ({kind}), {games} games")
            cases.append(Case(labels[-1], work))
        games, work = pgx_search(simulations, name != "no network", seconds)
        cases.append(Case(f"mctx and pgx, {name}, {games} games", work, ours=labels))
    return cases


# ---------------------------------------------------------------------- OpenSpiel: random rollouts


def _ours_rolling_out(game: str, iterations: int, moves: int) -> Work:
    batch, seeds = GameBatch(moves, 3, game=game), count()

    def work() -> int:
        ismcts(batch, iterations, seed=next(seeds))
        return moves * iterations

    return work


def spiel_position(game: Any, plies: int) -> Any:
    """Returns a position of an OpenSpiel game where there is a choice, after at least that many random plies."""
    generator, state = random.Random(0), game.new_initial_state()
    while state.is_chance_node() or plies > 0 or len(state.legal_actions()) < 2:
        plies -= not state.is_chance_node()
        state.apply_action(generator.choice(state.legal_actions()))
    return state


def spiel_search(name: str, iterations: int) -> Work:
    """Returns OpenSpiel's own search in C++, with one random rollout per iteration, counted in iterations."""
    import pyspiel

    game = pyspiel.load_game(name)
    rollouts = pyspiel.RandomRolloutEvaluator(1, 1)
    if game.get_type().information == pyspiel.GameType.Information.PERFECT_INFORMATION:
        bot = pyspiel.MCTSBot(game, rollouts, 1.2, iterations, 1000, False, 1, False)
    else:
        bot = pyspiel.ISMCTSBot(1, rollouts, 1.2, iterations)
    state = spiel_position(game, 0)

    def work() -> int:
        bot.step(state)
        return iterations

    return work


def spiel_cases(iterations: int, moves: int) -> list[Case]:
    """Returns cases counted in iterations. Connect four is the same game in both.

    Games with hidden information differ in length, so they compare less well.
    """
    cases = []
    for game, peers in (
        ("connect_four", {"connect_four": "MCTSBot"}),
        ("beasty_bar", {"hearts": "ISMCTSBot", "leduc_poker": "ISMCTSBot"}),
    ):
        label = f"ours, ismcts, {game}"
        cases.append(Case(label, _ours_rolling_out(game, iterations, moves)))
        cases += [
            Case(f"OpenSpiel {bot}, {peer}", spiel_search(peer, iterations), ours=[label])
            for peer, bot in peers.items()
        ]
    return cases


def peer_cases(
    simulations: int, iterations: int, moves: int, seconds: float, peers: Sequence[str]
) -> Iterator[tuple[str, list[Case]]]:
    """Yields the sections of the peers that are installed. Each is prepared only when it is asked for."""
    there = {peer for peer in peers if is_installed(peer)}
    if "mctx" in there:
        title = f"Beside mctx: {simulations} simulations a move from the deal, simulations"
        yield title, mctx_cases(simulations, seconds)
    if "pgx" in there and is_installed("mctx"):
        title = f"Beside mctx on pgx: connect four, {simulations} simulations a move, moves"
        yield title, pgx_cases(simulations, seconds)
    if "OpenSpiel" in there:
        title = f"Beside OpenSpiel: random rollouts, {iterations:,} iterations a move, iterations"
        yield title, spiel_cases(iterations, moves)
