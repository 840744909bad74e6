"""Opponent pools: the floor and the sum of weights, how games are shared out, past checkpoints, and their state."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pool_tools import First, check_weights, many, through_a_file

from lit_trainer.networks.residual_mlp import ResidualMLP
from lit_trainer.players.adaptive_pool import AdaptiveOpponentPool
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.players.specs import PAST, SELF_PLAY, past_name
from sim_core import OPPONENTS, GameBatch

# ---------------------------------------------------------------------- shares


@given(
    st.integers(1, 10_000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 4),
    st.lists(st.sampled_from(OPPONENTS), unique=True),
)
@settings(max_examples=150, deadline=None)
def test_a_plan_sums_to_the_games_and_respects_the_shares(
    games: int, own: float, past: float, snapshots: int, opponents: list[str]
) -> None:
    past *= 1 - own
    pool = OpponentPool(opponents, own, past)
    network = ResidualMLP(width=1, blocks=0)
    for k in range(snapshots):
        pool.add_snapshot(50 * (k + 1), network)
    plan = pool.plan(games)
    assert sum(plan.values()) == games
    assert all(count > 0 for count in plan.values())
    assert set(plan) <= {SELF_PLAY, *opponents, *(past_name(50 * (k + 1)) for k in range(snapshots))}
    rest = 1 - own - past
    expected = {name: rest / len(opponents) for name in opponents}
    expected |= {past_name(k): past / snapshots for k in pool.past}
    expected[SELF_PLAY] = 1 - sum(expected.values())
    for name, share in expected.items():
        assert abs(plan.get(name, 0) - games * share) < 1 + 1e-6


def test_the_plan_follows_the_weights() -> None:
    pool = OpponentPool(["random", "online"], 0.5, 0.1, weights={"random": 0.2, "online": 0.8})
    assert pool.plan(1000) == {SELF_PLAY: 600, "random": 80, "online": 320}
    adaptive = AdaptiveOpponentPool(["random", "online"], 0.0, 0.0)
    adaptive.update_weights_from_win_rates({"random": 1.0, "online": 0.0})
    assert adaptive.plan(100) == {"random": 5, "online": 95}


@pytest.mark.parametrize("games", [8, 16])
def test_every_opponent_is_met_however_few_the_games(games: int) -> None:
    """Also those at the floor, whose share of an iteration is less than half a game."""
    pool = AdaptiveOpponentPool(list(OPPONENTS), 0.5, 0.0)
    pool.update_weights_from_win_rates({name: 1.0 for name in OPPONENTS} | {"online": 0.0})
    played: Counter[str] = Counter()
    for _ in range(200):
        played.update(pool.plan(games))
    for name, share in pool.shares().items():
        assert abs(played[name] - 200 * games * share) < 2, played


def test_shares_sum_to_one() -> None:
    pool = OpponentPool(["random", "online"], 0.3, 0.2)
    assert sum(pool.shares().values()) == pytest.approx(1) and pool.shares()[SELF_PLAY] == pytest.approx(0.5)
    pool.add_snapshot(50, ResidualMLP(width=2, blocks=0))
    assert sum(pool.shares().values()) == pytest.approx(1) and pool.shares()[SELF_PLAY] == pytest.approx(0.3)
    assert OpponentPool([], 0.0, 0.0).shares() == {SELF_PLAY: 1.0}


# ---------------------------------------------------------------------- past checkpoints


def pool_with_past(**changes: Any) -> OpponentPool:
    return OpponentPool(**({"opponents": ["random"], "self_play_share": 0.5, "past_share": 0.3} | changes))


@pytest.mark.parametrize("max_past", [1, 2, 3, 7, 10])
def test_the_newest_past_checkpoints_are_kept_up_to_the_limit(max_past: int) -> None:
    """Fails if past checkpoints are dropped while there is still room."""
    pool = pool_with_past(max_past=max_past)
    network = ResidualMLP(width=2, blocks=0)
    for added in range(1, 2 * max_past + 3):
        pool.add_snapshot(50 * added, network)
        expected = [50 * k for k in range(1, added + 1)][-max_past:]
        assert sorted(pool.past) == expected, f"after {added} snapshots"


def test_self_play_takes_the_past_share_until_there_is_a_past() -> None:
    pool = pool_with_past()
    assert pool.plan(100) == {SELF_PLAY: 80, "random": 20}
    network = ResidualMLP(width=2, blocks=0)
    pool.add_snapshot(50, network)
    assert pool.plan(100) == {SELF_PLAY: 50, past_name(50): 30, "random": 20}
    pool.add_snapshot(100, network)
    assert pool.plan(100) == {SELF_PLAY: 50, past_name(50): 15, past_name(100): 15, "random": 20}


def test_when_a_snapshot_is_due() -> None:
    pool = pool_with_past(snapshot_every=50)
    due = [k for k in range(201) if pool.needs_snapshot(k)]
    assert due == [50, 100, 150, 200]
    pool.add_snapshot(100, ResidualMLP(width=2, blocks=0))
    assert not pool.needs_snapshot(100)
    assert not pool_with_past(past_share=0.0).needs_snapshot(50)
    assert not pool_with_past(max_past=0).needs_snapshot(50)


def test_a_snapshot_is_a_half_precision_copy() -> None:
    torch.manual_seed(0)
    network = ResidualMLP(width=16, blocks=1)
    inputs = torch.randn(5, network.observation_size)
    with torch.no_grad():
        expected = network(inputs)
    pool = pool_with_past()
    pool.add_snapshot(50, network)
    assert {value.dtype for value in pool.past[50].values()} == {torch.float16}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    past = pool.past_network(50, network)
    assert past is not network
    assert not any(parameter.requires_grad for parameter in past.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in past.parameters())
    for found, wanted in zip(past(inputs), expected, strict=True):
        assert torch.allclose(found, wanted, atol=0.02)
    with torch.no_grad():
        assert not torch.allclose(past(inputs)[0], network(inputs)[0], atol=0.1)


# ---------------------------------------------------------------------- state


def test_a_smaller_limit_takes_over_the_newest_past(tmp_path: Any) -> None:
    pool = pool_with_past(max_past=10)
    for k in range(1, 5):
        pool.add_snapshot(50 * k, ResidualMLP(width=2, blocks=0))
    for limit, expected in ((0, []), (1, [200]), (3, [100, 150, 200]), (10, [50, 100, 150, 200])):
        again = pool_with_past(max_past=limit)
        again.load_state_dict(through_a_file(pool.state_dict(), tmp_path / "pool.pt"))
        assert list(again.past) == expected


def test_fixed_weights_are_the_configurations_and_adaptive_ones_keep_their_floor(tmp_path: Any) -> None:
    """In a resumed run the YAML wins: its fixed weights over the checkpoint's, and the floor over weights
    that a pool without one has saved."""
    names = ["random", "online"]
    before = OpponentPool(names, weights={"random": 1.0, "online": 0.0})
    state = through_a_file(before.state_dict(), tmp_path / "pool.pt")
    fixed = OpponentPool(names, weights={"random": 0.25, "online": 0.75})
    fixed.load_state_dict(state)
    assert fixed.weights == {"random": 0.25, "online": 0.75}
    adaptive = AdaptiveOpponentPool(names)
    adaptive.load_state_dict(state)
    check_weights(adaptive)


def test_owed_games_are_saved(tmp_path: Any) -> None:
    """So a resumed run meets opponents in the same iterations."""
    pool, again = (OpponentPool(list(OPPONENTS), 0.5, 0.0) for _ in range(2))
    for _ in range(3):
        pool.plan(8)
    state = through_a_file(pool.state_dict(), tmp_path / "pool.pt")
    again.load_state_dict(state)
    assert [again.plan(8) for _ in range(9)] == [pool.plan(8) for _ in range(9)]
    again.load_state_dict({key: value for key, value in state.items() if key != "owed"})
    assert again.plan(8) == OpponentPool(list(OPPONENTS), 0.5, 0.0).plan(8), "older files owe nothing"


@pytest.mark.parametrize("owed", [3, {"random": "1"}, {"random": math.nan}])
def test_wrong_owed_games_are_refused(owed: Any) -> None:
    pool = OpponentPool(["random"])
    with pytest.raises(ValueError, match=r"^opponent_pool: owed: .* found, expected a number of games by opponent"):
        pool.check_state(pool.state_dict() | {"owed": owed}, {})


@pytest.mark.parametrize(("temperature", "kinds"), [(0.0, 2), (1.0, 2), (1e-3, 1)])
def test_a_past_checkpoint_samples_also_where_the_learner_plays_its_best_move(temperature: float, kinds: int) -> None:
    """At temperature 0 all its games from one deal would be the same game."""
    torch.manual_seed(2)
    network = ResidualMLP("connect_four", width=8, blocks=0)
    pool = pool_with_past(opponents=[], past_share=1.0, self_play_share=0.0)
    pool.add_snapshot(50, network)
    name = past_name(50)
    player = pool.players_of({name: 1}, network, temperature)[name].player(3)
    batch = GameBatch(64, game="connect_four")
    assert min(len(set(player.act(batch).actions.tolist())), 2) == kinds


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("opponents", lambda: OpponentPool(["random", "nobody"])),
        ("opponents", lambda: OpponentPool(["random", "random"])),
        ("opponents", lambda: AdaptiveOpponentPool([])),
        ("opponents", lambda: AdaptiveOpponentPool(**many(21))),
        ("rule", lambda: AdaptiveOpponentPool(["random"], rule="pfsp")),
        ("power", lambda: AdaptiveOpponentPool(["random"], rule="pfsp_hard", power=0.0)),
        ("power", lambda: AdaptiveOpponentPool(["random"], rule="pfsp_hard", power=math.nan)),
        ("self_play_share", lambda: OpponentPool(self_play_share=-0.1)),
        ("self_play_share", lambda: OpponentPool(self_play_share=math.nan)),
        ("past_share", lambda: OpponentPool(past_share=1.1)),
        ("past_share", lambda: OpponentPool(past_share="0.1")),
        ("self_play_share, past_share", lambda: OpponentPool(self_play_share=0.7, past_share=0.4)),
        ("max_past", lambda: OpponentPool(max_past=-1)),
        ("max_past", lambda: OpponentPool(max_past=1.5)),
        ("snapshot_every", lambda: OpponentPool(snapshot_every=0)),
        ("snapshot_every", lambda: OpponentPool(snapshot_every=True)),
        ("agents", lambda: OpponentPool(agents={"mine": object()})),
        ("agents", lambda: OpponentPool(agents={"random": First()})),
        ("weights", lambda: OpponentPool(["random", "online"], weights={"random": 1.0})),
        ("weights", lambda: OpponentPool(["random"], weights={"random": 0.9, "online": 0.1})),
        ("weights", lambda: OpponentPool(["random", "online"], weights={"random": 0.5, "online": 0.6})),
        ("weights.random", lambda: OpponentPool(["random", "online"], weights={"random": -0.5, "online": 1.0})),
        (
            "weights.random",
            lambda: AdaptiveOpponentPool(["random", "online"], weights={"random": 0.04, "online": 0.96}),
        ),
    ],
)
def test_wrong_arguments_are_refused_by_name(name: str, make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: "):
        make()


@pytest.mark.parametrize("name", [SELF_PLAY, PAST, past_name(50)])
def test_an_agent_cannot_take_a_name_that_plans_use(name: str) -> None:
    """Fails if an agent's name can take over the share of self-play, or a past checkpoint's games."""
    with pytest.raises(ValueError, match=rf"^agents: {name}"):
        OpponentPool(["random", name], agents={name: First()})


def test_past_networks_that_could_not_be_told_anything_get_zeros() -> None:
    """Fails if a past network lacks the learner's condition, or one that has learned its own loses it."""
    old, learner = ResidualMLP(width=4, blocks=1), ResidualMLP(width=4, blocks=1, condition="opponent")
    pool = OpponentPool(["random"], past_share=0.5)
    pool.add_snapshot(50, old)
    assert learner.condition_layer is not None
    torch.nn.init.ones_(learner.condition_layer.weight)
    pool.add_snapshot(100, learner)
    like = learner.state_dict()
    pool.check_state(pool.state_dict(), like)
    with pytest.raises(ValueError, match=r"^opponent_pool: past: the network of iteration 50 differs from the learner"):
        pool.check_state(pool.state_dict(), like, is_told=True)
    x, condition = torch.rand(3, learner.observation_size), torch.rand(3, 10)
    expected = pool.past_network(50, old)(x)
    pool.complete_past(like)
    assert all(torch.equal(a, b) for a, b in zip(pool.past_network(50, learner)(x, condition), expected, strict=True))
    assert (pool.past[100]["condition_layer.weight"] == 1).all()
    pool.check_state(pool.state_dict(), like, is_told=True)
    with pytest.raises(ValueError, match="the network of iteration 50 differs"):
        pool.check_state(pool.state_dict(), old.state_dict())
