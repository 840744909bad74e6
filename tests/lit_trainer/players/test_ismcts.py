"""Tree search without a network by its name: in pools, evaluations and the command line, and as an agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.cli_tools import TINY, config, metrics, trained

from lit_trainer import AdaptiveOpponentPool, Agent, IsmctsAgent, OpponentPool, ResidualMLP, SelfPlayDataModule
from lit_trainer.measuring.matches import play_match
from lit_trainer.players.engine_players import BuiltinPlayer, IsmctsPlayer
from lit_trainer.players.python_player import PythonPlayer
from lit_trainer.players.specs import make as make_opponent
from lit_trainer.players.specs import parse
from lit_trainer.self_play.generator import play_games
from lit_trainer.self_play.settings import GenerationSettings
from sim_core import Action, GameBatch, SearchSettings, State, games

WRONG = (
    "ismcts",
    "ismcts:",
    "ismcts:0",
    "ismcts:050",
    "ismcts:1e3",
    "ismcts:1_000",
    "ismcts:-5",
    "ismcts: 5",
    "ismcts:5 ",
    "ismcts:5\n",
    "ismcts:٥",  # noqa: RUF001
    "ismcts:2.5",
    "ismcts:1000001",
    "ismcts:99999999999999999999",
    "ismcts:5:5",
)


def positions(game: str, n: int = 60) -> list[State]:
    """Random positions at plies 0 to 14 in turn."""
    batch = GameBatch(n, 1, game=game)
    while (going := (batch.ply < np.arange(n) % 15) & ~batch.is_terminal).any():
        batch.step(np.where(going, batch.opponent_actions("random", 1), -1))
    return [batch.state(i) for i in range(n) if not batch.is_terminal[i]]


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize("name", WRONG)
def test_wrong_names_are_refused_by_field(name: str) -> None:
    """A number that is written another way would be a second name for one player; int() takes several of these."""
    makers: dict[str, Callable[[], object]] = {
        "opponents": lambda: OpponentPool(["random", name]),
        "evaluation_opponents": lambda: SelfPlayDataModule(evaluation_opponents=["random", name]),
        "agents": lambda: OpponentPool(["random"], agents={name: IsmctsAgent(5)}),
    }
    for field, make in makers.items():
        with pytest.raises(ValueError, match=rf"^{field}: 'ismcts.*expected ismcts:N .* 1 to 1,000,000"):
            make()


def test_only_its_own_names_are_its_names() -> None:
    assert parse("ismcts:1").iterations == 1
    assert parse("ismcts:1000000").iterations == 1_000_000
    assert parse("random").kind == "builtin"
    for name in ("nobody", "ISMCTS:5", "my_ismcts:5", "ismcts_5", "ismctsx:5"):
        with pytest.raises(
            ValueError, match=r"^opponents: .* is neither a known player nor a file; known are .*ismcts:N"
        ):
            OpponentPool(["ismcts:5", name])
    with pytest.raises(ValueError, match=r"^agents: ismcts:5 stands for tree search"):
        OpponentPool(["ismcts:5"], agents={"ismcts:5": IsmctsAgent(5)})
    with pytest.raises(ValueError, match=r"^opponents: a name stands twice"):
        OpponentPool(["ismcts:5", "ismcts:5"])


def test_an_adaptive_pool_weighs_by_evaluations_of_its_own_names() -> None:
    pool = AdaptiveOpponentPool(["random", "ismcts:9"])
    with pytest.raises(ValueError, match="evaluation_opponents: 'ismcts:10' is not in the adaptive pool"):
        SelfPlayDataModule(opponent_pool=pool, evaluation_opponents=["ismcts:10"])
    data = SelfPlayDataModule(opponent_pool=pool)
    assert data.evaluation_opponents == ("random", "ismcts:9")
    pool.update_weights_from_win_rates({"random": 1.0, "ismcts:9": 0.0})
    assert pool.weights["ismcts:9"] > 0.9


@pytest.mark.parametrize("game", games())
def test_a_pool_plays_it_with_its_own_number_of_iterations(game: str) -> None:
    """A name that leads to a player of another strength, or that only one game knows."""
    pool = OpponentPool(["ismcts:1", "ismcts:300"], self_play_share=0.0, past_share=0.0)
    assert SelfPlayDataModule(game, pool).evaluation_opponents == ("ismcts:1", "ismcts:300")
    player = make_opponent("ismcts:300").player(3, threads=2)
    assert isinstance(player, IsmctsPlayer) and (player.iterations, player.seed, player.threads) == (300, 3, 2)
    settings = GenerationSettings(simulations=0, search=SearchSettings(), parallel_games=64, threads=1)
    network = ResidualMLP(game, width=8, blocks=0)
    # plays at random, as one iteration does where the root cannot be solved
    torch.nn.init.zeros_(network.policy_head.weight)
    torch.nn.init.zeros_(network.policy_head.bias)
    played = play_games(settings, network, pool.plan(120), temperature=1.0, seed=5, opponents=pool.roster)
    weak, strong = played.results["ismcts:1"], played.results["ismcts:300"]
    assert sum(weak) == sum(strong) == 60
    assert strong[0] < 8 and weak[0] > 11, played.results


# ---------------------------------------------------------------------- player and agent


@pytest.mark.parametrize("game", games())
def test_equal_positions_get_equal_moves(game: str) -> None:
    """A stream that goes on from call to call, or that depends on the other positions of a batch."""
    agent, again = IsmctsAgent(60, seed=3), IsmctsAgent(60, seed=3)
    assert isinstance(agent, Agent)
    states = positions(game)
    moves = [agent.select_action(state, state.legal_actions()) for state in states]
    assert all(move in state.legal_actions() for move, state in zip(moves, states, strict=True))
    assert moves == [agent.select_action(state, state.legal_actions()) for state in states]
    assert moves[::-1] == [again.select_action(state, state.legal_actions()) for state in states[::-1]]
    others = [IsmctsAgent(60, seed=4).select_action(state, state.legal_actions()) for state in states]
    assert others != moves, "the seed has no effect"
    batch = GameBatch.from_states(states, streams=0)
    one, two = (IsmctsPlayer(60, 8, threads).act(batch).actions for threads in (1, 2))
    assert one.dtype == np.int64 and (one == two).all()


@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals"])
def test_what_the_mover_cannot_see_changes_no_move(game: str) -> None:
    agent, changed = IsmctsAgent(60, seed=3), 0
    for state in positions(game):
        move = agent.select_action(state, state.legal_actions())
        for seed in range(4):
            other = state.determinize(seed)
            changed += other != state
            assert agent.select_action(other, other.legal_actions()) == move
    assert changed > 150


@pytest.mark.parametrize("game", games())
def test_it_beats_random(game: str) -> None:
    """Values with the wrong sign, or the least visited action."""
    outcomes, _ = play_match(IsmctsPlayer(50, 5), BuiltinPlayer("random", 7), 100, game=game, seed=11)
    assert np.mean((outcomes + 1) / 2) > 0.85
    agent = PythonPlayer("agent", IsmctsAgent(50, seed=5))
    outcomes, _ = play_match(agent, BuiltinPlayer("random", 7), 40, game=game, seed=11)
    assert np.mean((outcomes + 1) / 2) > 0.75


def test_wrong_arguments_are_refused_when_it_is_made() -> None:
    for make in (lambda n: IsmctsPlayer(n, 1), IsmctsAgent):
        for iterations in (0, -1, 1_000_001, 2.5, True, "5"):
            with pytest.raises(ValueError, match=r"^iterations: "):
                make(iterations)
    with pytest.raises(ValueError, match=r"^threads: "):
        IsmctsPlayer(5, 1, threads=0)
    state = positions("connect_four")[0]
    nothing: list[Action] = []
    with pytest.raises(ValueError, match="is over, there is no action to select"):
        IsmctsAgent(5).select_action(state, nothing)


# ---------------------------------------------------------------------- the command line


def test_by_flag_in_pool_and_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colon that YAML takes for a mapping, and names that the log cannot hold."""
    monkeypatch.chdir(tmp_path)
    pool = ["--data.opponent_pool=lit_trainer.OpponentPool", "--data.opponent_pool.opponents=[online,ismcts:10]"]
    pool += ["--data.opponent_pool.self_play_share=0.0", "--data.opponent_pool.past_share=0.0"]
    flags = ["--data.evaluation_opponents=[random,ismcts:50]", "--trainer.max_epochs=1", "--evaluate_first=false"]
    flags += ["--trainer.check_val_every_n_epoch=1"]
    cli = trained("fit", *config("quickstart.yaml"), *TINY, *pool, *flags)
    evaluation: dict[str, Any] = cli.model.evaluation
    assert list(evaluation) == ["random", "ismcts:50"] and evaluation["ismcts:50"].games == 2
    folder = Path("runs/quickstart/version_0")
    assert metrics(folder, "val/win_rate/ismcts:50")[0] == evaluation["ismcts:50"].score
    assert metrics(folder, "selfplay/games/ismcts:10") == {0: 3.0}
    with pytest.raises(SystemExit) as stopped:
        trained("fit", *config("quickstart.yaml"), *TINY, "--data.evaluation_opponents=[ismcts:none]")
    assert stopped.value.code == 2
