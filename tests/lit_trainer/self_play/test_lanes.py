"""Lanes: two halves of the games side by side, which no result may show, and threads that always come home."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer.networks.evaluators import TorchEvaluator, make_evaluator
from lit_trainer.networks.residual_mlp import ResidualMLP
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Moves
from lit_trainer.players.python_player import PythonPlayer
from lit_trainer.self_play.games import OpponentGames, generate_games_batched_by_opponent
from lit_trainer.self_play.lanes import LANES, LaneMemory, PlayedGames, Schedule, play_schedule
from sim_core import Action, GameBatch, GameRunner, RunnerSettings, State, search

pytestmark = pytest.mark.timeout(120)

WIDE = 80  # slots: enough for two lanes, of 40 slots each
RANDOM = BuiltinPlayer("random", 5)


class Counting:
    """Plays by how often it was asked, so that the order in which it meets its games shows in them."""

    def __init__(self) -> None:
        self.calls = 0
        self.seen: list[State] = []

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        self.calls += 1
        self.seen.append(state)
        return legal_actions[self.calls % len(legal_actions)]


def a_schedule(games: int, opponents: int, seed: int = 0) -> Schedule:
    """Self-play and games against each opponent in turn, from both seats."""
    numbers = np.arange(games)
    controllers = np.zeros((games, 2), dtype=np.int64)
    controllers[numbers, numbers // (opponents + 1) % 2] = numbers % (opponents + 1)
    return Schedule(numbers + 1000 * seed, numbers // 2 % 2, controllers)


def play(evaluator: Any, opponents: Sequence[Any] = (), games: int = 120, **changes: Any) -> PlayedGames:
    learner = {"simulations": 4, "temperature": 1.0, "seed": 7, "dirichlet_fraction": 0.25}
    learner |= {name: changes.pop(name) for name in (*learner, "threads", "root_selection") if name in changes}
    arguments: dict[str, Any] = {"game": "beasty_bar", "seed": 3, "parallel_games": WIDE, "record": True} | changes
    return play_schedule(NetworkPlayer(evaluator, **learner), a_schedule(games, len(opponents)), opponents, **arguments)


def same(first: PlayedGames, second: PlayedGames) -> bool:
    """Bit for bit, positions included, in their order."""
    parts = ("outcomes", "scores", "states", "policies", "position_outcomes", "evaluations", "simulations")
    return all(np.array_equal(getattr(first, part), getattr(second, part)) for part in parts)


def lane_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lane")]


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
    """Lanes that write their observations where another lane's network reads them play other games."""
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


def test_lanes_share_no_memory(make_network: Callable[..., ResidualMLP]) -> None:
    """An evaluator gives a thread one and the same buffer at every call; two lanes need two."""
    evaluator = TorchEvaluator(make_network().eval())
    learner = NetworkPlayer(evaluator, simulations=2, temperature=1.0, seed=7)
    for slots in (64, 65, 1000):
        views = []
        for leaves in LaneMemory().lanes("beasty_bar", slots, learner):
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
    """Each kept policy is that of a search of the kept position alone, with the game's own stream."""
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
    """Also several of them, and where built-in opponents and networks move in between."""
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
    """Its trees are one: two lanes that ask it under two numbers would search in them together."""
    twice = Touchy(scrambled, simulations=2, temperature=1.0, seed=4)
    once = NetworkPlayer(scrambled, simulations=2, temperature=1.0, seed=4)
    played = play(scrambled, [twice, twice], threads=2)
    assert twice.most == 1
    assert same(played, play(scrambled, [once, NetworkPlayer(scrambled, simulations=2, temperature=1.0, seed=4)]))


# ---------------------------------------------------------------------- memory


def test_memory_is_used_again_and_leaves_no_trace(scrambled: Any, make_network: Callable[..., ResidualMLP]) -> None:
    """Of other slots, simulations, settings, games and evaluators, and after a schedule that broke off."""
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


def test_memory_of_one_shape_is_kept(scrambled: Any) -> None:
    memory = LaneMemory()
    learner = NetworkPlayer(scrambled, simulations=4, temperature=1.0, seed=7)
    lanes = memory.lanes("beasty_bar", 80, learner)
    assert memory.lanes("beasty_bar", 80, learner) is lanes
    assert [leaves.slots for leaves in lanes] == [40, 40]
    assert [leaves.slots for leaves in memory.lanes("beasty_bar", 3, learner)] == [3]
    assert [leaves.trees.handle.name for leaves in memory.lanes("connect_four", 80, learner)] == ["connect_four"] * 2
    assert [leaves.trees.capacity for leaves in memory.lanes("beasty_bar", 80, None)] == [1, 1]


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


# ---------------------------------------------------------------------- errors, threads that come home


class Fails:
    """Fails, or is interrupted, at its so-manieth call."""

    def __init__(self, evaluator: Any, at: int) -> None:
        self.evaluator = evaluator
        self.left = at
        self.lock = threading.Lock()

    def __call__(self, observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        with self.lock:
            self.left -= 1
            if self.left == 0:
                raise KeyError("weights")
        return self.evaluator(observations, legal_mask)

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        self.left -= 1
        if self.left == 0:
            raise KeyError("agent")
        return legal_actions[0]


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("at", [1, 2, 60])
def test_an_evaluators_error_comes_out(scrambled: Any, threads: int, at: int) -> None:
    with pytest.raises(KeyError, match="weights"):
        play(Fails(scrambled, at), [RANDOM], threads=threads)
    assert not lane_threads()


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("kind", ["python", "network"])
def test_an_opponents_error_comes_out(scrambled: Any, threads: int, kind: str) -> None:
    fails = Fails(scrambled, 7)
    opponent = (
        PythonPlayer("fails", fails)
        if kind == "python"
        else NetworkPlayer(fails, simulations=0, temperature=1.0, seed=4)
    )
    with pytest.raises(KeyError, match="agent" if kind == "python" else "weights"):
        play(scrambled, [RANDOM, opponent], threads=threads)
    assert not lane_threads()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_stops_all_lanes(scrambled: Any, threads: int, error: type[BaseException]) -> None:
    """In the calling thread, in the middle of the games; they do not go on to their ends first."""
    asked = 0

    def slow(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        nonlocal asked
        asked += 1
        time.sleep(0.02)
        return scrambled(observations, legal_mask)

    def interrupt(played: float) -> None:
        raise error

    before = torch.get_num_threads()
    with pytest.raises(error):
        play(slow, [RANDOM], threads=threads, games=2000, on_progress=interrupt)
    assert 0 < asked < 100, "to the end it would be thousands"
    assert not lane_threads()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("torch_threads", [1, 2, 3])
def test_torchs_threads_are_as_they_were(make_network: Callable[..., ResidualMLP], torch_threads: int) -> None:
    """Also after an error; inside, a lane's network has its share of the cores."""
    evaluator = TorchEvaluator(make_network().eval())
    inside: set[int] = set()

    def noting(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        inside.add(torch.get_num_threads())
        return evaluator(observations, legal_mask)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(torch_threads)
        for threads, share in ((1, 1), (2, 1), (4, 2)):
            inside.clear()
            play(noting, threads=threads, games=64, simulations=0)
            assert inside == {share}
            assert torch.get_num_threads() == torch_threads
            with pytest.raises(KeyError):
                play(Fails(evaluator, 3), threads=threads)
            assert torch.get_num_threads() == torch_threads
    finally:
        torch.set_num_threads(before)


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
    assert set(played.shares) == {"forward", "tree", "encoding", "opponents", "waiting"}
    assert all(share >= 0 for share in played.shares.values())
    assert sum(played.shares.values()) == pytest.approx(1.0)
    assert played.shares["forward"] > 0.3 and played.shares["opponents"] > 0
    # each call's rows were counted, each search has its simulations
    assert played.simulations % 4 == 0 and played.evaluations > played.simulations > 0


def test_mirrored_deals_are_played_twice_with_seats_exchanged(scrambled: Any) -> None:
    """Against each opponent, whatever stands before it in the plan; against itself every deal is its own."""
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
    """A learner that plays like its opponent wins exactly as often as it loses, if each deal is played both ways."""
    learner = NetworkPlayer(scrambled, simulations=0, temperature=0.0, seed=7)
    twin = NetworkPlayer(scrambled, simulations=0, temperature=0.0, seed=7)
    games = generate_games_batched_by_opponent(
        learner, [OpponentGames("twin", 101 - mirrored, twin)], game="beasty_bar", seed=3, mirrored=mirrored
    )
    wins, _, losses = games.results["twin"]
    assert (wins == losses) == mirrored
