"""Lanes: two halves of the games side by side, which no result may show."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.lane_games import RANDOM, WIDE, Counting, a_schedule, play, same

from lit_trainer.networks.evaluators import TorchEvaluator, make_evaluator
from lit_trainer.networks.residual_mlp import ResidualMLP
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Moves
from lit_trainer.players.python_player import PythonPlayer
from lit_trainer.self_play.games import OpponentGames, generate_games_batched_by_opponent
from lit_trainer.self_play.lanes import LANES, LaneMemory, PlayedGames, Schedule, play_schedule
from lit_trainer.self_play.stats import SelfPlayStats
from sim_core import GameBatch, GameRunner, RunnerSettings, State, search

pytestmark = pytest.mark.timeout(120)

# ---------------------------------------------------------------------- threads change nothing


@pytest.mark.parametrize("threads", [2, 3, 4])
@pytest.mark.parametrize("options", [{}, {"simulations": 0}, {"root_selection": "gumbel"}], ids=str)
def test_threads_change_no_game(scrambled: Any, threads: int, options: dict[str, Any]) -> None:
    opponents = [
        RANDOM,
        PythonPlayer("counting", Counting()),
        NetworkPlayer(scrambled, simulations=0, temperature=1.0, seed=4),
    ]
    alone = play(scrambled, opponents, **options)
    opponents[1] = PythonPlayer("counting", Counting())
    assert same(play(scrambled, opponents, threads=threads, **options), alone)
    assert len(np.unique(alone.outcomes)) == 3


@pytest.mark.parametrize("games", [128, 129])
def test_threads_change_no_game_of_a_real_network(make_network: Callable[..., ResidualMLP], games: int) -> None:
    """Fails if a lane writes observations where another lane's network reads them."""
    network = make_network(width=64, blocks=2).eval()
    past = NetworkPlayer(TorchEvaluator(make_network(1).eval()), simulations=2, temperature=1.0, seed=4)
    plain = None
    for threads in (1, 2, 4, 2):
        for memory in (None, LaneMemory()):
            with TorchEvaluator(network) as evaluator:
                played = play(
                    evaluator,
                    [RANDOM, past],
                    games,
                    threads=threads,
                    memory=memory,
                    parallel_games=games,
                    simulations=8,
                )
            plain = plain or played
            assert same(played, plain), (threads, memory)


def test_lanes_share_no_memory() -> None:
    """Fails if two lanes use one buffer: an evaluator gives a thread the same buffer at every call."""
    for slots in (64, 65, 1000):
        views = []
        for leaves in LaneMemory().lanes("beasty_bar", slots, 2):
            runner = GameRunner(
                leaves,
                RunnerSettings(simulations=2),
                temperature=1.0,
                seed=1,
                learner_seed=2,
                streams=np.arange(leaves.slots),
                first_player=0,
                controllers=np.zeros((leaves.slots, 2), dtype=np.int64),
            )
            rows = runner.advance()
            assert rows == leaves.slots
            views.append(leaves.encode(rows, 1)[0])
        assert len(views) == LANES
        assert sum(map(len, views)) == slots
        assert not np.shares_memory(views[0], views[1])


def test_threads_change_no_game_of_an_exported_network(make_network: Callable[..., ResidualMLP]) -> None:
    network = make_network(width=64, blocks=2).eval()
    memory, plain = LaneMemory(), None
    for threads in (1, 2, 2):
        with make_evaluator(network, "onnx_fp32") as evaluator:
            played = play(evaluator, [RANDOM], threads=threads, memory=memory)
        plain = plain or played
        assert same(played, plain)


def test_lanes_play_what_search_plays(make_network: Callable[..., ResidualMLP]) -> None:
    """Fails if a kept policy is not that of a search of its position alone, with the game's own stream."""
    evaluator = TorchEvaluator(make_network().eval())
    for options in ({}, {"root_selection": "gumbel"}):
        found = play(evaluator, games=64, parallel_games=64, threads=2, simulations=8, **options)
        streams = np.concatenate([np.arange(0, 64, 2), np.arange(1, 64, 2)])  # lane by lane, game by game
        scale = {"gumbel_scale": 1.0} if options else {}
        for ply in (0, 1, 7, 15):
            batch = GameBatch.from_packed(found.states[ply::24], streams=streams)
            assert (batch.ply == ply).all()
            alone = search(batch, evaluator, 8, seed=7, dirichlet_fraction=0.25, **options, **scale)
            assert np.array_equal(alone.policy, found.policies[ply::24])


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_agents_in_python_meet_their_games_in_one_order(scrambled: Any, threads: int) -> None:
    """Fails if several agents, or other opponents in between, change the order in which an agent is asked."""
    met = []
    for count in (1, threads):
        agents = [Counting(), Counting()]
        past = NetworkPlayer(scrambled, simulations=0, temperature=1.0, seed=4)
        opponents = [PythonPlayer("first", agents[0]), RANDOM, PythonPlayer("second", agents[1]), past]
        play(scrambled, opponents, threads=count, games=160)
        met.append([agent.seen for agent in agents])
        assert [len(agent.seen) for agent in agents] == [160 // 5 * 12] * 2
    assert met[0] == met[1]


class Touchy(NetworkPlayer):
    """Notes whether it was asked while it was thinking."""

    inside = 0
    most = 0

    def act(self, batch: GameBatch) -> Moves:
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.002)
        moves = super().act(batch)
        self.inside -= 1
        return moves


def test_a_player_given_twice_is_asked_by_one_lane_at_a_time(scrambled: Any) -> None:
    """Fails if two lanes ask one player at the same time, and so search in the same trees."""
    twice = Touchy(scrambled, simulations=2, temperature=1.0, seed=4)
    once = NetworkPlayer(scrambled, simulations=2, temperature=1.0, seed=4)
    played = play(scrambled, [twice, twice], threads=2)
    assert twice.most == 1
    assert same(played, play(scrambled, [once, NetworkPlayer(scrambled, simulations=2, temperature=1.0, seed=4)]))


# ---------------------------------------------------------------------- memory


def test_memory_is_used_again_and_leaves_no_trace(scrambled: Any, make_network: Callable[..., ResidualMLP]) -> None:
    """Fails if memory used before, with other settings or in games that broke off, changes later games."""
    memory = LaneMemory()
    network = TorchEvaluator(make_network().eval())

    def failing(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        raise KeyError("weights")

    changes: list[dict[str, Any]] = [
        {"parallel_games": 80},
        {"parallel_games": 80, "root_selection": "gumbel", "threads": 2},
        {"parallel_games": 81, "threads": 2},
        {"parallel_games": 7},
        {"parallel_games": 80, "simulations": 9},
        {"parallel_games": 80, "simulations": 0},
        {"parallel_games": 80, "simulations": 1},
        {"parallel_games": 80, "simulations": 4, "games": 40},
    ]
    for evaluator in (scrambled, network):
        for change in changes:
            with pytest.raises(KeyError):
                play(failing, [RANDOM], memory=memory, **change)
            assert same(play(evaluator, [RANDOM], memory=memory, **change), play(evaluator, [RANDOM], **change)), change


def test_after_an_error_the_memory_is_new() -> None:
    """A thread that was left behind may still write into the old one."""
    memory, kept = LaneMemory(), []

    def failing(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        kept.extend(memory.lanes("beasty_bar", 80, 4))
        raise KeyError("weights")

    with pytest.raises(KeyError):
        play(failing, [RANDOM], memory=memory, parallel_games=80, simulations=4)
    assert len(kept) >= 2
    assert not {id(leaves) for leaves in memory.lanes("beasty_bar", 80, 4)} & {id(leaves) for leaves in kept}


def test_memory_of_one_shape_is_kept() -> None:
    memory = LaneMemory()
    lanes = memory.lanes("beasty_bar", 80, 4)
    assert memory.lanes("beasty_bar", 80, 4) is lanes
    assert [leaves.slots for leaves in lanes] == [40, 40]
    assert [leaves.slots for leaves in memory.lanes("beasty_bar", 3, 4)] == [3]
    assert [leaves.trees.handle.name for leaves in memory.lanes("connect_four", 80, 4)] == ["connect_four"] * 2
    assert [leaves.trees.capacity for leaves in memory.lanes("beasty_bar", 80, 0)] == [1, 1]


@pytest.mark.parametrize("parallel_games", [1, 31, 32, 200])
def test_slots_change_no_game(scrambled: Any, parallel_games: int) -> None:
    def rows(played: PlayedGames) -> list[tuple[bytes, bytes, int]]:
        positions = zip(played.states, played.policies, played.position_outcomes, strict=True)
        return sorted((state.tobytes(), policy.tobytes(), int(outcome)) for state, policy, outcome in positions)

    plain = play(scrambled, [RANDOM], games=50)
    found = play(scrambled, [RANDOM], games=50, parallel_games=parallel_games, threads=2)
    assert (found.outcomes == plain.outcomes).all() and (found.scores == plain.scores).all()
    assert rows(found) == rows(plain)


def test_no_games_and_no_learner(scrambled: Any) -> None:
    nothing = play(scrambled, [RANDOM], games=0, threads=2)
    assert len(nothing.outcomes) == len(nothing.states) == nothing.evaluations == 0
    schedule = a_schedule(90, 1)
    built_in = Schedule(schedule.streams, schedule.first_player, np.tile([1, 2], (90, 1)))
    opponents = [RANDOM, PythonPlayer("counting", Counting())]
    played = play_schedule(None, built_in, opponents, game="beasty_bar", seed=3, parallel_games=WIDE)
    assert len(played.outcomes) == 90 and played.evaluations == 0 and len(played.states) == 0
    assert len(np.unique(played.scores, axis=0)) > 20


# ---------------------------------------------------------------------- reports, mirrored deals


@pytest.mark.parametrize("threads", [1, 2])
def test_shares_sum_to_one_and_progress_goes_up(scrambled: Any, threads: int) -> None:
    told: list[tuple[float, bool]] = []

    def slow(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        time.sleep(0.002)
        return scrambled(observations, legal_mask)

    def note(games: float) -> None:
        told.append((games, threading.current_thread() is threading.main_thread()))

    played = play(slow, [RANDOM, PythonPlayer("counting", Counting())], threads=threads, on_progress=note)
    games = [share for share, _ in told]
    assert games == sorted(games) and games[-1] == 120 and len(games) > 2
    assert all(main for _, main in told)
    shares = SelfPlayStats.of_games(played, {}, "rank 0").shares
    assert set(shares) == {"forward", "tree", "encoding", "opponents", "waiting"}
    assert all(share >= 0 for share in shares.values())
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["forward"] > 0.3 and shares["opponents"] > 0
    # each call's rows were counted, each search has its simulations
    assert played.simulations % 4 == 0 and played.evaluations > played.simulations > 0


def test_mirrored_deals_are_played_twice_with_seats_exchanged(scrambled: Any) -> None:
    """Fails if a deal against an opponent is not played from both seats, or one against itself is."""
    agents = [Counting(), Counting()]
    opponents = [
        OpponentGames("self_play", 3, None),
        OpponentGames("first", 20, PythonPlayer("first", agents[0])),
        OpponentGames("random", 7, RANDOM),
        OpponentGames("second", 11, PythonPlayer("second", agents[1])),
    ]
    learner = NetworkPlayer(scrambled, simulations=2, temperature=1.0, seed=7)
    games = generate_games_batched_by_opponent(learner, opponents, game="beasty_bar", seed=3, mirrored=True)
    own = [State(row.tobytes()) for row in games.states]
    learner_opened = Counter(str(state) for state in own if state.ply == 0)
    for agent, number in zip(agents, (20, 11), strict=True):
        opened = Counter(str(state) for state in agent.seen if state.ply == 0)
        assert opened.total() + sum(state.ply == 1 for state in agent.seen) == number
        assert set(opened.values()) == {1}
        # who opens a deal is of the deal: the agent opens its first game and the learner the second, or the reverse
        twice = sum(learner_opened[text] for text in opened)
        assert twice >= number // 2 - 1 and set(learner_opened.values()) == {1}


@pytest.mark.parametrize("mirrored", [False, True])
def test_equal_players_come_out_even_on_mirrored_deals_only(scrambled: Any, mirrored: bool) -> None:
    """Fails if mirrored deals are not: against its equal a learner then wins exactly as often as it loses."""
    learner = NetworkPlayer(scrambled, simulations=0, temperature=0.0, seed=7)
    twin = NetworkPlayer(scrambled, simulations=0, temperature=0.0, seed=7)
    games = generate_games_batched_by_opponent(
        learner, [OpponentGames("twin", 101 - mirrored, twin)], game="beasty_bar", seed=3, mirrored=mirrored
    )
    wins, _, losses = games.results["twin"]
    assert (wins == losses) == mirrored
