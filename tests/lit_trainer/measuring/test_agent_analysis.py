"""What the report says an agent thinks, against cases whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lit_trainer import ResidualMLP, load_agent, make_evaluator
from lit_trainer.measuring.agent_analysis import (
    OWN_TURNS,
    STAGES,
    Thoughts,
    annotated_game,
    believed_cards,
    calibration_by_stage,
    calibration_errors,
    holding_worth,
    play_shares,
    think,
)
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from sim_core import Action, Belief, State
from sim_core.beasty_bar.rules import LETTERS


@pytest.mark.parametrize("simulations", [0, 4])
def test_a_game_plays_every_animal_once(simulations: int) -> None:
    """Fails if a mover, a hand or an animal is of another row, because then the counts do not add up."""
    evaluator = make_evaluator(ResidualMLP(width=16, blocks=1).eval(), "torch")
    player = NetworkPlayer(evaluator, simulations=simulations, temperature=0.0, seed=1)
    found = think(player, games=20, seed=3)
    assert len(found.plies) == 20 * 24
    assert (np.bincount(found.played, minlength=12) == 40).all()
    assert found.hands[np.arange(len(found.played)), found.played].all()
    assert (found.hands.sum(axis=1) == np.minimum(4, 12 - found.plies // 2)).all()
    first, second = found.outcomes[:20], found.outcomes[20:40]
    assert (first == -second).all()
    assert np.abs(found.network_values).max() <= 1
    if simulations:  # the last turns are solved: what is thought of them comes true
        late = found.plies >= 20
        assert (found.search_values[late] == found.outcomes[late]).all()
    shares = play_shares(found)
    assert shares.shape == (12, OWN_TURNS)
    assert (shares[~np.isnan(shares[:, -1]), -1] == 1).all()  # the last card has to be played


def test_the_worth_of_holding_is_found_again() -> None:
    """Fails if the fit does not find the worths that the values were made of."""
    generator = np.random.default_rng(1)
    worth = generator.normal(size=12)
    hands = np.zeros((6000, 12), dtype=bool)
    for row in hands:
        row[generator.choice(12, 4, replace=False)] = True
    plies = generator.integers(0, 18, len(hands))
    values = (0.1 * hands @ worth + 0.3).astype(np.float32)
    nobody = np.zeros(len(hands), dtype=np.int8)
    found = holding_worth(Thoughts(plies, hands, nobody.astype(np.int64), values, values, nobody))
    for turn in range(found.shape[1]):
        np.testing.assert_allclose(found[:, turn], 0.1 * (worth - worth.mean()), atol=1e-5)


def test_games_without_animals_are_refused() -> None:
    network = ResidualMLP(game="connect_four", width=8, blocks=0).eval()
    player = NetworkPlayer(make_evaluator(network, "torch"), simulations=0, temperature=0.0, seed=1)
    with pytest.raises(ValueError, match=r"^game: connect_four"):
        think(player, 2, 1, game="connect_four")
    assert len(LETTERS) == 12


def test_annotated_games_are_games(checkpoint_path: Path) -> None:
    """Fails if a position, an action or a seat is of another turn, because then the record cannot be replayed."""
    judge = load_agent(checkpoint_path, simulations=4)._player
    turns = annotated_game([judge, BuiltinPlayer("random", 1)], ["agent", "random"], [judge, judge], seed=5)
    state = State.parse(turns[0]["position"])
    for turn in turns[:-1]:
        assert str(state) == turn["position"]
        assert turn["player"] == ["agent", "random"][state.to_move]
        assert 0 <= turn["chance"] <= 100
        if turn["player"] == "agent":
            assert turn["agrees"] and turn["action"] == turn["best"][0][0]
        state = state.step(Action.parse(turn["action"]))
    assert state.is_terminal and list(state.scores()) == turns[-1]["scores"]
    assert not any(turn["believed"] for turn in turns[:-1])  # nobody is expected


def test_an_annotated_game_s_beliefs_follow_from_the_turns_before(checkpoint_path: Path) -> None:
    """Fails if judge or player are not told what was played, or if cards are named as those of the wrong seat."""
    agent = load_agent(checkpoint_path, simulations=4, opponent="skunk")._player
    judges = [load_agent(checkpoint_path, simulations=4)._player, agent]
    turns = annotated_game([BuiltinPlayer("skunk", 1), agent], ["skunk", "agent"], judges, seed=5)
    belief = Belief("beasty_bar", State.parse(turns[0]["position"]).data, 1, "skunk")
    for turn in turns[:-1]:
        state = State.parse(turn["position"])
        if turn["player"] == "agent":
            assert turn["agrees"]
            assert turn["believed"] == believed_cards(belief, 0)
            assert len(turn["believed"]) == min(4, np.count_nonzero(belief.card_probabilities()))
            sure = {card for card, share in turn["believed"] if share == 100}
            assert sure <= set(turn["position"].split(" ")[3].split("/")[0])  # the hands, that of seat 0 first
        else:
            assert turn["believed"] == []
        belief.observe(state.data, Action.parse(turn["action"]).id)
    assert turns[-2]["ply"] == 23 and turns[-2]["player"] == "agent"


def test_the_errors_of_each_stage_are_those_of_its_positions() -> None:
    """Fails if errors are of another stage, or the network's are taken for the search's."""
    plies = np.array([0, 5, 6, 11, 12, 15, 20])
    outcomes = np.array([1, -1, 1, -1, 1, 1, -1], dtype=np.int8)
    network = np.array([1, -1, 1, -1, -1, -1, -1], dtype=np.float32)
    hands, played = np.zeros((7, 12), dtype=bool), np.zeros(7, dtype=np.int64)
    thoughts = Thoughts(plies, hands, played, network, outcomes.astype(np.float32), outcomes)
    errors = calibration_errors(thoughts)
    assert list(errors) == list(STAGES)
    for stage in list(STAGES)[:2]:
        assert set(errors[stage].values()) == {0.0}
    assert errors["turns 12 to 15"] == {
        "network_gap": 2.0, "network_squared_error": 4.0, "search_gap": 0.0, "search_squared_error": 0.0
    }  # fmt: skip
    by_stage = calibration_by_stage(thoughts, network)
    assert [int(bins.counts.sum()) for bins in by_stage.values()] == [2, 2, 2]
