"""Adaptive pools: the floor and the sum of weights, the rules, and their state."""

from __future__ import annotations

import inspect
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonargparse import ArgumentParser
from support.pool_tools import check_weights, many, through_a_file

from lit_trainer.networks.residual_mlp import ResidualMLP
from lit_trainer.players.adaptive_pool import RULES, AdaptiveOpponentPool
from lit_trainer.players.opponent_pool import OpponentPool
from sim_core import DEFAULT_OPPONENTS

RATE = st.floats(0, 1)


@given(st.integers(1, 20), st.data())
@settings(max_examples=150, deadline=None)
def test_floor_sum_and_order_hold_after_every_update(count: int, data: st.DataObject) -> None:
    """Fails if the floor is applied before normalising, so that it sinks below 5 %."""
    pool = AdaptiveOpponentPool(**many(count))
    check_weights(pool)
    rates = dict.fromkeys(pool.opponents, 0.5)
    for _ in range(3):
        update = data.draw(st.dictionaries(st.sampled_from(pool.opponents), RATE, max_size=count))
        pool.update_weights_from_win_rates(update)
        rates |= update
        check_weights(pool)
        ordered = sorted(pool.opponents, key=rates.__getitem__)
        for stronger, weaker in pairwise(ordered):
            assert pool.weights[stronger] >= pool.weights[weaker] - 1e-12
            if rates[stronger] == rates[weaker]:
                assert math.isclose(pool.weights[stronger], pool.weights[weaker], abs_tol=1e-12)


@given(st.lists(RATE, min_size=3, max_size=3), st.integers(0, 2), RATE)
def test_losing_more_to_one_never_lowers_its_weight(rates: list[float], k: int, other: float) -> None:
    names = ("random", "online", "skunk")
    pool = AdaptiveOpponentPool(names)
    pool.update_weights_from_win_rates(dict(zip(names, rates, strict=True)))
    before = pool.weights[names[k]]
    pool.update_weights_from_win_rates({names[k]: other})
    after = pool.weights[names[k]]
    assert (after >= before - 1e-12) if other <= rates[k] else (after <= before + 1e-12)


def test_extremes() -> None:
    pool = AdaptiveOpponentPool()
    assert pool.opponents == DEFAULT_OPPONENTS
    assert set(pool.weights.values()) == {1 / len(DEFAULT_OPPONENTS)}
    pool.update_weights_from_win_rates(dict.fromkeys(DEFAULT_OPPONENTS, 1.0))
    assert list(pool.weights.values()) == pytest.approx([1 / len(DEFAULT_OPPONENTS)] * len(DEFAULT_OPPONENTS))
    pool.update_weights_from_win_rates(dict.fromkeys(DEFAULT_OPPONENTS, 1.0) | {"skunk": 0.0})
    assert pool.weights["skunk"] == pytest.approx(1 - 0.05 * (len(DEFAULT_OPPONENTS) - 1))
    assert {round(w, 9) for name, w in pool.weights.items() if name != "skunk"} == {0.05}


def test_one_without_a_rate_keeps_its_last() -> None:
    pool = AdaptiveOpponentPool(["random", "online"])
    pool.update_weights_from_win_rates({"random": 0.9})
    never_measured = dict(pool.weights)
    pool.update_weights_from_win_rates({"online": 0.5})
    assert pool.weights == pytest.approx(never_measured)
    pool.update_weights_from_win_rates({"online": 0.9})
    assert pool.weights == pytest.approx({"random": 0.5, "online": 0.5})


@pytest.mark.parametrize("rate", [-0.01, 1.01, math.nan, math.inf, "0.5", "x", None, True, [0.5], 1j])
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    pool = AdaptiveOpponentPool(["random", "online"])
    pool.update_weights_from_win_rates({"random": 0.2})
    before, rates = dict(pool.weights), dict(pool.win_rates)
    with pytest.raises(ValueError, match=r"^win_rates\.online: "):
        pool.update_weights_from_win_rates({"random": 0.9, "online": rate})
    assert (pool.weights, pool.win_rates) == (before, rates), "a refused update must change nothing"


def test_an_unknown_name_is_refused() -> None:
    pool = AdaptiveOpponentPool(["random", "online"])
    with pytest.raises(ValueError, match=r"^win_rates: 'skunk' .*random, online"):
        pool.update_weights_from_win_rates({"random": 0.9, "skunk": 0.5})
    assert pool.weights == {"random": 0.5, "online": 0.5}


def test_state_round_trip(tmp_path: Any) -> None:
    pool = AdaptiveOpponentPool(["random", "online", "skunk"], past_share=0.2)
    pool.update_weights_from_win_rates({"random": 0.9, "online": 0.3})
    for k in (50, 100, 150):
        pool.add_snapshot(k, ResidualMLP(width=2, blocks=0))
    again = AdaptiveOpponentPool(["random", "online", "skunk"], past_share=0.2)
    again.load_state_dict(through_a_file(pool.state_dict(), tmp_path / "pool.pt"))
    assert again.weights == pool.weights
    assert again.win_rates == pool.win_rates
    assert list(again.past) == [50, 100, 150]
    assert all(torch.equal(again.past[k][key], value) for k, past in pool.past.items() for key, value in past.items())
    assert again.plan(1000) == pool.plan(1000)
    for one in (pool, again):
        one.update_weights_from_win_rates({"skunk": 0.1})
    assert again.weights == pool.weights


def test_state_of_other_opponents(tmp_path: Any) -> None:
    """Fails if a resumed pool loses the rates of opponents it still has, or takes weights of others."""
    pool = AdaptiveOpponentPool(["random", "online", "skunk"])
    pool.update_weights_from_win_rates({"random": 0.9, "online": 0.3, "skunk": 0.2})
    state = through_a_file(pool.state_dict(), tmp_path / "pool.pt")
    other = AdaptiveOpponentPool(["online", "queue"])
    other.load_state_dict(state)
    check_weights(other)
    assert other.win_rates == {"online": 0.3}
    other.update_weights_from_win_rates({"queue": 0.3})
    assert other.weights == pytest.approx({"online": 0.5, "queue": 0.5})


@given(st.sampled_from(RULES), st.floats(0.1, 9), st.integers(1, 20), st.data())
@settings(max_examples=150, deadline=None)
def test_every_rule_keeps_the_floor(rule: Any, power: float, count: int, data: st.DataObject) -> None:
    pool = AdaptiveOpponentPool(**many(count), rule=rule, power=power)
    for _ in range(3):
        pool.update_weights_from_win_rates(
            data.draw(st.dictionaries(st.sampled_from(pool.opponents), RATE, max_size=count))
        )
        check_weights(pool)


@pytest.mark.parametrize(
    ("rule", "power", "shares"),
    [
        ("linear", 2.0, (0.1, 0.5, 0.9)),
        ("pfsp_hard", 1.0, (0.1, 0.5, 0.9)),
        ("pfsp_hard", 2.0, (0.01, 0.25, 0.81)),
        ("pfsp_hard", 3.0, (0.001, 0.125, 0.729)),
        ("pfsp_even", 2.0, (0.09, 0.25, 0.09)),
    ],
)
def test_rules_by_plain_arithmetic(rule: Any, power: float, shares: tuple[float, ...], tmp_path: Any) -> None:
    names = ["random", "online", "skunk"]
    pool = AdaptiveOpponentPool(names, rule=rule, power=power)
    pool.update_weights_from_win_rates({"random": 0.9, "online": 0.5, "skunk": 0.1})
    expected = [0.05 + 0.85 * share / sum(shares) for share in shares]
    assert list(pool.weights.values()) == pytest.approx(expected)
    resumed = AdaptiveOpponentPool(names, rule=rule, power=power)
    resumed.load_state_dict(through_a_file(pool.state_dict(), tmp_path / "pool.pt"))
    assert resumed.weights == pool.weights, "a resumed run went back to another rule"


def test_a_rule_that_gives_nobody_anything_shares_equally() -> None:
    for rule, rates in (("pfsp_hard", (1.0, 1.0)), ("pfsp_even", (1.0, 0.0)), ("linear", (1.0, 1.0))):
        pool = AdaptiveOpponentPool(["random", "online"], rule=rule)  # type: ignore[arg-type]
        pool.update_weights_from_win_rates(dict(zip(pool.opponents, rates, strict=True)))
        assert pool.weights == pytest.approx({"random": 0.5, "online": 0.5})


def test_twenty_opponents_stand_on_the_floor() -> None:
    pool = AdaptiveOpponentPool(**many(20))
    pool.update_weights_from_win_rates({"agent_3": 0.0, "agent_4": 1.0})
    check_weights(pool)


def test_a_yaml_knows_all_arguments_of_both_pools(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if the parser, which reads arguments through ``*args, **kwargs``, no longer finds one of them."""
    parser = ArgumentParser()
    parser.add_subclass_arguments(OpponentPool, "pool")
    own = list(inspect.signature(OpponentPool).parameters)
    given = parser.parse_args(["--pool=lit_trainer.AdaptiveOpponentPool", "--pool.opponents=[random]"])
    assert set(vars(given.pool.init_args)) == {*own, "rule", "power"}
    # the method's name from jsonargparse 4.49 on, and the one before
    pool = (getattr(parser, "instantiate", None) or parser.instantiate_classes)(given).pool
    assert isinstance(pool, AdaptiveOpponentPool) and pool.opponents == ("random",) and pool.rule == "linear"
    with pytest.raises(SystemExit):
        parser.parse_args(["--pool.help=lit_trainer.AdaptiveOpponentPool"])
    said = capsys.readouterr().out
    assert all(f"--pool.{name}" in said for name in (*own, "rule", "power"))
