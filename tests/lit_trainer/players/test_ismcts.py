"""Tree search without a network by its name: in pools, evaluations and the command line, and as an agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.cli_tools import TINY, config, metrics, trained

from lit_trainer import (
    AdaptiveOpponentPool,
    EvaluationSettings,
    GenerationSettings,
    IsmctsAgent,
    OpponentPool,
    ResidualMLP,
    SelfPlayDataModule,
)
from lit_trainer.players.engine_players import IsmctsPlayer
from lit_trainer.players.specs import make as make_opponent
from lit_trainer.players.specs import parse
from lit_trainer.self_play.generator import play_games
from sim_core import SearchSettings, games

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


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize("name", WRONG)
def test_wrong_names_are_refused_by_field(name: str) -> None:
    """Fails if a number written in another way, which int() may take, is a second name for one player."""
    makers: dict[str, Callable[[], object]] = {
        "opponents": lambda: OpponentPool(["random", name]),
        r"evaluation\.opponents": lambda: SelfPlayDataModule(evaluation=EvaluationSettings(["random", name])),
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
    with pytest.raises(ValueError, match=r"evaluation\.opponents: 'ismcts:10' is not in the adaptive pool"):
        SelfPlayDataModule(opponent_pool=pool, evaluation=EvaluationSettings(["ismcts:10"]))
    data = SelfPlayDataModule(opponent_pool=pool)
    assert data.evaluation.opponents == ("random", "ismcts:9")
    pool.update_weights_from_win_rates({"random": 1.0, "ismcts:9": 0.0})
    assert pool.weights["ismcts:9"] > 0.9


@pytest.mark.parametrize("game", games())
def test_a_pool_plays_it_with_its_own_number_of_iterations(game: str) -> None:
    """A name that leads to a player of another strength, or that only one game knows."""
    pool = OpponentPool(["ismcts:1", "ismcts:300"], self_play_share=0.0, past_share=0.0)
    assert SelfPlayDataModule(game, pool).evaluation.opponents == ("ismcts:1", "ismcts:300")
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


# ---------------------------------------------------------------------- the command line


def test_by_flag_in_pool_and_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colon that YAML takes for a mapping, and names that the log cannot hold."""
    monkeypatch.chdir(tmp_path)
    pool = ["--data.opponent_pool=lit_trainer.OpponentPool", "--data.opponent_pool.opponents=[online,ismcts:10]"]
    pool += ["--data.opponent_pool.self_play_share=0.0", "--data.opponent_pool.past_share=0.0"]
    flags = ["--data.evaluation.opponents=[random,ismcts:50]", "--trainer.max_epochs=1", "--evaluate_first=false"]
    flags += ["--trainer.check_val_every_n_epoch=1"]
    cli = trained("fit", *config("quickstart.yaml"), *TINY, *pool, *flags)
    evaluation: dict[str, Any] = cli.model.evaluation
    assert list(evaluation) == ["random", "ismcts:50"] and evaluation["ismcts:50"].games == 2
    folder = Path("runs/quickstart/version_0")
    assert metrics(folder, "val/win_rate/ismcts:50")[0] == evaluation["ismcts:50"].score
    assert metrics(folder, "selfplay/games/ismcts:10") == {0: 3.0}
    with pytest.raises(SystemExit) as stopped:
        trained("fit", *config("quickstart.yaml"), *TINY, "--data.evaluation.opponents=[ismcts:none]")
    assert stopped.value.code == 2
