"""What the report says an agent thinks, against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from lit_trainer import ResidualMLP, make_evaluator
from lit_trainer.measuring.agent_analysis import OWN_TURNS, Thoughts, holding_worth, play_shares, think
from lit_trainer.measuring.calibration import calibration
from lit_trainer.players.network_player import NetworkPlayer
from sim_core.beasty_bar.rules import LETTERS


@pytest.mark.parametrize("simulations", [0, 4])
def test_a_game_plays_every_animal_once(simulations: int) -> None:
    """A mover, a hand or an animal of another row: the counts would not come out."""
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


def test_calibration_of_a_known_bias() -> None:
    generator = np.random.default_rng(0)
    truth = generator.uniform(-1, 1, 200_000)
    outcomes = np.where(generator.uniform(-1, 1, len(truth)) < truth, 1, -1).astype(np.int8)
    predicted, came, counts = calibration((truth / 2).astype(np.float32), outcomes, bins=8)
    assert counts.sum() == len(truth) and (counts[:2] == 0).all() and np.isnan(predicted[0])
    filled = counts > 0
    np.testing.assert_allclose(came[filled], 2 * predicted[filled], atol=0.03)


def test_the_worth_of_holding_is_found_again() -> None:
    """Values made of known worths give them back, less their mean."""
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
