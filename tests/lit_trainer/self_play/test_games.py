"""Generated games: who moved, whose outcome, from which seat, and that no result depends on how they are batched."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import numpy as np
import pytest

from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.python_player import PythonPlayer
from lit_trainer.self_play.games import (
    GeneratedGames,
    OpponentGames,
    generate_games_batched_by_opponent,
    join_games,
)
from lit_trainer.self_play.lanes import Schedule, play_schedule, runner_settings
from lit_trainer.self_play.stats import SelfPlayStats
from sim_core import ACTIONS, Action, GameBatch, State, solve_endgame
from sim_core.runner_settings import ValueTarget

PLIES = 24


class Recorder:
    """An agent in Python that plays the first legal action and notes where it was asked."""

    def __init__(self) -> None:
        self.seen: list[State] = []

    def select_action(self, state: State, legal_actions: Any) -> Action:
        self.seen.append(state)
        action: Action = legal_actions[0]
        return action


def neutral(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(legal_mask.shape, np.float32), np.zeros(len(observations), np.float32)


def generate(evaluate: Any, opponents: list[OpponentGames], **changes: Any) -> GeneratedGames:
    options = {"simulations": 0, "temperature": 1.0, "seed": 7} | changes.pop("learner", {})
    arguments = {"game": "beasty_bar", "seed": 3} | changes
    return generate_games_batched_by_opponent(NetworkPlayer(evaluate, **options), opponents, **arguments)


def built_in(name: str, games: int) -> OpponentGames:
    return OpponentGames(name, games, BuiltinPlayer(name, 5))


def rows(games: GeneratedGames) -> list[tuple[bytes, bytes, int]]:
    """Returns the positions in an order that does not depend on how they came."""
    return sorted(
        (state.tobytes(), policy.tobytes(), int(outcome))
        for state, policy, outcome in zip(games.states, games.policies, games.outcomes, strict=True)
    )


# ---------------------------------------------------------------------- whose moves, whose outcomes


def test_only_the_learners_moves_are_kept_and_results_agree(scrambled: Any) -> None:
    agent = Recorder()
    opponents = [
        OpponentGames("self_play", 9, None),
        OpponentGames("recorder", 11, PythonPlayer("recorder", agent)),
        built_in("heuristic", 6),
        built_in("skunk", 0),
    ]
    games = generate(scrambled, opponents)
    assert games.states.shape[0] == len(games.policies) == len(games.outcomes) == 9 * 24 + 11 * 12 + 6 * 12
    assert games.policies.shape[1] == len(ACTIONS)
    assert (games.states.dtype, games.policies.dtype, games.outcomes.dtype) == (np.uint8, np.float32, np.float32)
    assert list(games.results) == ["self_play", "recorder", "heuristic", "skunk"]
    assert [sum(result) for result in games.results.values()] == [9, 11, 6, 0]
    kept = {row.tobytes() for row in games.states}
    assert len(agent.seen) == 11 * 12
    assert not kept & {state.data for state in agent.seen}
    # each of the learner's games gives twelve positions with its outcome; self-play's cancel out
    learned = [games.results[name] for name in ("recorder", "heuristic")]
    assert games.outcomes.sum() == 12 * sum(wins - losses for wins, _, losses in learned)
    draws = 24 * games.results["self_play"][1] + 12 * sum(drawn for _, drawn, _ in learned)
    assert (games.outcomes == 0).sum() == draws


def test_every_opponent_is_met_from_both_seats_and_with_both_openings(scrambled: Any) -> None:
    """Fails if seats or openings are uneven, also after an odd number of games in the schedule."""
    for before in (0, 1, 2, 3):
        agent = Recorder()
        opponents = [
            OpponentGames("self_play", before, None),
            OpponentGames("recorder", 16, PythonPlayer("recorder", agent)),
        ]
        generate(scrambled, opponents)
        opened = Counter((state.to_move, state.ply) for state in agent.seen if state.ply < 2)
        # as first or second player, from either seat
        assert opened == {(0, 0): 4, (1, 0): 4, (0, 1): 4, (1, 1): 4}


def test_both_seats_win_against_a_weak_opponent() -> None:
    """Fails if an outcome is seen from the wrong seat."""
    games = generate(neutral, [built_in("random", 200)], learner={"simulations": 24, "temperature": 0.0})
    wins, draws, _ = games.results["random"]
    assert (wins + draws / 2) / 200 > 0.7
    seats = GameBatch.from_packed(games.states).to_move
    for seat in (0, 1):
        assert (seats == seat).sum() == 200 * 12 / 2
        assert games.outcomes[seats == seat].mean() > 0.4


def test_outcomes_are_what_perfect_play_secures() -> None:
    """From ply 16 on the learner plays perfectly: against itself the outcome is the position's exact value for the
    player to move, against others at least that."""
    opponents = [OpponentGames("self_play", 40, None), built_in("heuristic", 40)]
    learner = {"simulations": 2, "temperature": 1.0}
    own = generate(neutral, opponents[:1], learner=learner)
    other = generate(neutral, opponents[1:], learner=learner)
    met = set()
    for games, exact in ((own, True), (other, False)):
        batch = GameBatch.from_packed(games.states)
        for row in np.flatnonzero(batch.is_solvable):
            state, outcome = batch.state(row), int(games.outcomes[row])
            value, _ = solve_endgame(state)
            assert (outcome == value) if exact else (outcome >= value), str(state)
            met.add((exact, state.to_move, value))
    assert len(met) == 2 * 2 * 3


@pytest.mark.parametrize("simulations", [0, 2])
@pytest.mark.parametrize("seat", [None, 0, 1], ids=["self-play", "first", "second"])
def test_endgame_values_are_those_of_the_first_position_that_can_be_solved(seat: int | None, simulations: int) -> None:
    """Fails if a value has the wrong sign, is a later position's, or depends on mistakes in the endgame."""
    differ, met = 0, set()
    for number in range(25):
        agent = Recorder()
        controllers = np.zeros((1, 2), dtype=np.int64)
        if seat is not None:
            controllers[0, 1 - seat] = 1
        learner = NetworkPlayer(neutral, simulations=simulations, temperature=1.0, seed=7)
        schedule = Schedule(np.array([number]), np.array([0]), controllers)
        arguments = {"game": "beasty_bar", "seed": 3, "parallel_games": 1, "record": True}
        played, exact = (
            play_schedule(
                learner,
                schedule,
                [PythonPlayer("recorder", agent)],
                settings=runner_settings(learner, target),
                **arguments,
            )
            for target in get_args(ValueTarget)
        )
        assert (played.states == exact.states).all() and (played.outcomes == exact.outcomes).all()
        batch = GameBatch.from_packed(exact.states)
        states = [batch.state(row) for row in range(len(batch))]
        first = min((s for s in (*states, *agent.seen) if s.is_solvable), key=lambda s: s.ply)
        assert first.ply == 16
        value = solve_endgame(first)[0] * (1 if first.to_move == 0 else -1)
        for state, found, end in zip(states, exact.position_outcomes, played.position_outcomes, strict=True):
            own = solve_endgame(state)[0] if state.is_solvable else value * (1 if state.to_move == 0 else -1)
            assert found == own
            assert end == played.outcomes[0] * (1 if state.to_move == 0 else -1)
            differ += found != end
            met.add(int(found))
    assert met == {-1, 0, 1}
    assert (differ == 0) == (seat is None and simulations > 0), "self-play that searches is perfect from there on"


def test_policies_are_search_targets_or_none(scrambled: Any) -> None:
    opponents = [OpponentGames("self_play", 4, None), built_in("random", 4)]
    played = generate(scrambled, opponents)
    assert not played.policies.any()
    searched = generate(scrambled, opponents, learner={"simulations": 5})
    legal = GameBatch.from_packed(searched.states).legal_mask()
    assert np.abs(searched.policies.sum(axis=1) - 1).max() < 1e-5
    assert not searched.policies[~legal].any()


# ---------------------------------------------------------------------- how they are batched


@pytest.mark.parametrize("simulations", [0, 4])
def test_batches_and_threads_change_no_game(scrambled: Any, simulations: int) -> None:
    opponents = [OpponentGames("self_play", 12, None), built_in("noisy", 9), built_in("random", 8)]
    learner = {"simulations": simulations, "dirichlet_fraction": 0.25}
    whole = generate(scrambled, opponents, learner=learner)
    for parallel_games, threads in ((1, 1), (7, 2), (29, 2)):
        parts = generate(scrambled, opponents, learner=learner | {"threads": threads}, parallel_games=parallel_games)
        assert parts.results == whole.results
        assert rows(parts) == rows(whole)


def test_games_are_of_the_seed(scrambled: Any) -> None:
    opponents = [OpponentGames("self_play", 6, None), built_in("random", 6)]
    first, again = generate(scrambled, opponents), generate(scrambled, opponents)
    assert (first.states == again.states).all()
    assert (first.outcomes == again.outcomes).all()
    other = generate(scrambled, opponents, seed=4)
    assert not {row.tobytes() for row in other.states} & {row.tobytes() for row in first.states}
    sampled_otherwise = generate(scrambled, opponents, learner={"seed": 8})
    assert rows(sampled_otherwise) != rows(first)


def test_all_deals_are_different(scrambled: Any) -> None:
    games = generate(scrambled, [OpponentGames("self_play", 64, None)], parallel_games=10)
    batch = GameBatch.from_packed(games.states)
    starts = {row.tobytes() for row in games.states[batch.ply == 0]}
    assert len(starts) == 64


# ---------------------------------------------------------------------- reports and errors


def test_progress_goes_up_to_the_number_of_games(scrambled: Any) -> None:
    told: list[float] = []
    games = generate(
        scrambled,
        [OpponentGames("self_play", 7, None), built_in("random", 6)],
        parallel_games=4,
        on_progress=told.append,
    )
    assert told == sorted(told)
    assert told[-1] == 13
    assert games.stats.games == 13
    assert games.stats.positions == len(games.states) == 7 * 24 + 6 * 12
    logged = games.stats.to_log()
    assert logged["games_per_second"] > 0
    shares = [logged[f"{part}_share"] for part in ("forward", "tree", "encoding", "opponents", "waiting")]
    assert all(share >= 0 for share in shares)
    assert sum(shares) == pytest.approx(1.0)


def test_what_is_refused(scrambled: Any) -> None:
    with pytest.raises(ValueError, match=r"^parallel_games: 0"):
        generate(scrambled, [], parallel_games=0)
    with pytest.raises(ValueError, match=r"^opponents: -1 .*random"):
        generate(scrambled, [built_in("random", -1)])
    with pytest.raises(ValueError, match=r"^game: "):
        generate(scrambled, [built_in("random", 2)], game="chess")
    with pytest.raises(ValueError, match=r"^value_target: 'end' "):
        runner_settings(None, "end")  # type: ignore[arg-type]


@pytest.mark.parametrize("opponents", [[], [OpponentGames("self_play", 0, None)]], ids=["none", "no games"])
def test_no_games_are_no_positions(scrambled: Any, opponents: list[OpponentGames]) -> None:
    games = generate(scrambled, opponents)
    assert len(games.states) == len(games.policies) == len(games.outcomes) == 0
    assert games.results == {entry.name: (0, 0, 0) for entry in opponents}


def test_chunks_are_joined_in_their_order() -> None:
    """Fails if positions lose their policies, counts are of one chunk, or values are kept although some have none."""

    def chunk(games: int, seconds: float, forward: float) -> GeneratedGames:
        stats = SelfPlayStats(
            results={f"x{games}": (games - 6, 0, 0), "y": (1, 2, 3)},
            seconds_of={f"worker {games}": seconds},
            thread_seconds=seconds,
            spent={"forward": forward},
        )
        states, policies = np.full((games, 2), games, np.uint8), np.full((games, 3), games, np.float32)
        return GeneratedGames(states, policies, np.ones(games, np.float32), stats)

    first, second = chunk(10, 1.0, 0.5), chunk(20, 4.0, 3.6)
    joined = join_games([first, second])
    assert joined.results == {"x10": (4, 0, 0), "x20": (14, 0, 0), "y": (2, 4, 6)}
    assert joined.stats == first.stats + second.stats
    logged = joined.stats.to_log()
    assert (logged["games"], logged["games_per_second"]) == (30, 2 * 30 / 5)
    assert logged["forward_share"] == pytest.approx((0.5 + 4 * 0.9) / 5)
    assert joined.states[:, 0].tolist() == joined.policies[:, 0].tolist() == [10] * 10 + [20] * 20
    assert len(joined.outcomes) == 30 and joined.margins is None and joined.values is None
