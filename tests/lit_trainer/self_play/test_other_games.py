"""Nothing of the training is tied to one game: connect four through pool, past checkpoints, agents and evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer

from lit_trainer import (
    AdaptiveOpponentPool,
    AlphaZeroModule,
    EvaluationSettings,
    GenerationSettings,
    OpponentPool,
    PolicyValueNetwork,
    ReplaySettings,
    ResidualMLP,
    SelfPlayDataModule,
    TransformerNetwork,
    load_agent,
)
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.self_play.games import OpponentGames, generate_games_batched_by_opponent
from sim_core import Action, State

GAME = "connect_four"


class Middle:
    """An agent written in Python: the legal column nearest the middle."""

    asked = 0

    def select_action(self, state: State, legal_actions: tuple[Action, ...]) -> Action:
        self.asked += 1
        return min(legal_actions, key=lambda action: abs(action.id - 3))


@pytest.mark.parametrize("network", [ResidualMLP(GAME, width=16, blocks=1), TransformerNetwork(GAME, 8, 1, 2)])
def test_two_iterations_against_everybody(network: PolicyValueNetwork, tmp_path: Path) -> None:
    middle = Middle()
    data = SelfPlayDataModule(
        game=GAME,
        opponent_pool=AdaptiveOpponentPool(
            ["random", "tactical", "middle"], 0.4, 0.2, snapshot_every=1, agents={"middle": middle}
        ),
        generation=GenerationSettings(games=20, simulations=3, threads=1),
        evaluation=EvaluationSettings(games=4),
        replay=ReplaySettings(positions=2000),
        steps_per_iteration=2,
        batch_size=32,
        seed=3,
    )
    module = AlphaZeroModule(network)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        default_root_dir=tmp_path,
    )
    progress: list[tuple[float, int]] = []
    data.on_progress.append(lambda played, total: progress.append((played, total)))
    trainer.fit(module, data)
    assert set(module.evaluation) == {"random", "tactical", "middle"}
    assert all(result.games == 4 for result in module.evaluation.values())
    assert middle.asked > 40 and list(data.opponent_pool.past) == [1]
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
    assert progress[-1] == (20.0, 20), "games that end before the last ply count whole"
    trainer.save_checkpoint(tmp_path / "four.ckpt")
    agent = load_agent(tmp_path / "four.ckpt", simulations=8)
    state = State.initial(1, game=GAME)
    while not state.is_terminal:
        state = state.step(agent.select_action(state, state.legal_actions()))
    with pytest.raises(ValueError, match=r"^states: .*beasty_bar.*connect_four"):
        agent.select_actions([State.initial(1)])


@pytest.mark.parametrize(
    ("game", "opponents"),
    [(GAME, ["random", "online"]), (GAME, None), ("beasty_bar", ["random", "tactical"])],
)
def test_an_opponent_of_another_game_is_refused(game: str, opponents: Any) -> None:
    pool = OpponentPool(opponents)
    expected = rf"^opponent_pool: .* plays .*, expected {game}, whose built-in opponents are random"
    with pytest.raises(ValueError, match=expected):
        SelfPlayDataModule(game=game, opponent_pool=pool)


def test_network_and_data_of_two_games_are_refused(tmp_path: Path) -> None:
    data = SelfPlayDataModule(game=GAME)
    trainer = Trainer(accelerator="cpu", max_epochs=1, logger=False, default_root_dir=tmp_path)
    with pytest.raises(ValueError, match=r"^game: the data plays connect_four, the network is for beasty_bar"):
        trainer.fit(AlphaZeroModule(ResidualMLP(width=4, blocks=0)), data)


def test_targets_are_outcomes_for_the_mover() -> None:
    """Fails if outcomes have the wrong sign: the winner moves last, so a won game's last position is a win."""

    def neutral(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(legal_mask.shape, np.float32), np.zeros(len(observations), np.float32)

    learner = NetworkPlayer(neutral, simulations=4, temperature=1.0, seed=1)
    kinds = [OpponentGames("self", 30, None), OpponentGames("tactical", 30, BuiltinPlayer("tactical", 2))]
    games = generate_games_batched_by_opponent(learner, kinds, game=GAME, seed=4)
    assert sum(games.results["self"]) == sum(games.results["tactical"]) == 30
    assert games.results["tactical"][2] > 20, "tactical beats a learner that knows nothing"
    ends = 0
    for data, outcome, policy in zip(games.states, games.outcomes, games.policies, strict=True):
        state = State(data.tobytes(), GAME)
        winning = [action for action in state.legal_actions() if state.step(action).winner() is not None]
        if policy[[action.id for action in winning]].sum() > 0.99:
            ends += 1
            assert outcome == 1, str(state)
    assert ends > 5
