"""Everything that takes a player's name takes every kind of name, plays it, and refuses wrong ones with one message."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support.trainers import quiet_trainer

from lit_trainer import AlphaZeroModule, OpponentPool, ResidualMLP, SelfPlayDataModule
from lit_trainer.checkpoints.writer import AtomicCheckpointIO
from lit_trainer.cli.report import report
from lit_trainer.learning.settings import EvaluationSettings, TestSettings
from lit_trainer.measuring.contestants import load_contestants
from lit_trainer.measuring.matches import play_match
from lit_trainer.play import PERSON, Session
from lit_trainer.play.server import offered
from lit_trainer.play.terminal import play
from lit_trainer.self_play.generator import play_games
from lit_trainer.self_play.settings import GenerationSettings
from sim_core import SearchSettings

pytestmark = pytest.mark.timeout(300)

AGENTS = """
class First:
    def select_action(self, state, legal_actions):
        return legal_actions[0]

class Place:
    def __init__(self, place):
        self.place = place
    def select_action(self, state, legal_actions):
        return legal_actions[self.place]
"""


def small() -> ResidualMLP:
    return ResidualMLP(width=8, blocks=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Makes a folder with a checkpoint, a run's folder and a module of agents, on the import path."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "named_agents.py").write_text(AGENTS)
    (folder / "runs/short/version_0/checkpoints").mkdir(parents=True)
    for seed, name in enumerate(("iter1.ckpt", "runs/short/version_0/checkpoints/last.ckpt")):
        torch.manual_seed(seed)
        module = AlphaZeroModule(small())
        data = SelfPlayDataModule(
            generation=GenerationSettings(games=2, simulations=0), steps_per_iteration=1, batch_size=4
        )
        trainer = quiet_trainer(
            max_epochs=1,
            limit_val_batches=0,
            log_every_n_steps=1,
            plugins=[AtomicCheckpointIO()],
            default_root_dir=folder,
        )
        trainer.fit(module, data)
        trainer.save_checkpoint(folder / name)
    sys.path.insert(0, str(folder))
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)
    sys.path.remove(str(folder))
    sys.modules.pop("named_agents", None)


NAMES = {
    "random": "random",
    "ismcts:3": "ismcts:3",
    "iter1.ckpt": "iter1",
    "iter1.ckpt@2": "iter1@2",
    "runs/short": "short",
    "runs/short@2": "short@2",
    "named_agents.First": "First",
    "named_agents.Place(place=-1)": "Place(place=-1)",
}
"""Every kind of name, and the short one under which results are logged."""


def by_pool(names: list[str]) -> list[str]:
    pool = OpponentPool(names, self_play_share=0.0, past_share=0.0)
    settings = GenerationSettings(simulations=0, search=SearchSettings(), parallel_games=8, threads=1)
    plan = pool.plan(len(names))
    network = small().eval()
    opponents = pool.players_of(plan, network)
    played = play_games(settings, network, plan, temperature=1.0, seed=1, opponents=opponents)
    assert all(sum(result) == 1 for result in played.results.values())
    return list(played.results)


def by_validation(names: list[str]) -> list[str]:
    module = AlphaZeroModule(small())
    quiet_trainer().validate(
        module, SelfPlayDataModule(evaluation=EvaluationSettings(opponents=names, games=2)), verbose=False
    )
    assert all(result.games == 2 for result in module.evaluation.values())
    return list(module.evaluation)


def by_test(names: list[str]) -> list[str]:
    module = AlphaZeroModule(small())
    data = SelfPlayDataModule(test=TestSettings(opponents=names, games=2, simulations=(0,)))
    quiet_trainer().test(module, data, verbose=False)
    assert all(result.games == 2 for result in module.measurement[0].values())
    return list(module.measurement[0])


def by_tournament(names: list[str]) -> list[str]:
    game, contestants = load_contestants([*names, "skunk"], None)
    against = contestants.pop()
    for number, contestant in enumerate(contestants):
        outcomes = play_match(contestant.player(number, 1), against.player(9, 1), 2, game=game, seed=number).outcomes
        assert len(outcomes) == 2
    assert [contestant.spec for contestant in contestants] == names
    return [contestant.opponent.name for contestant in contestants]


def by_report(names: list[str]) -> list[str]:
    folder = tempfile.mkdtemp(dir=".")
    report("iter1.ckpt", folder, simulations=1, games=60, opponents=names, threads=1)
    heads = re.findall(r"^## Against (.*)$", Path(folder, "games.md").read_text(), re.MULTILINE)
    assert heads == names
    return [NAMES.get(head, head) for head in heads]


def by_terminal(names: list[str]) -> list[str]:
    for name in names:
        sys.stdin = io.StringIO("1\n" * 12 + "quit\n")
        try:
            play(name, simulations=0, seat="second", seed=3)
        finally:
            sys.stdin = sys.__stdin__
    return [NAMES.get(name, name) for name in names]


def by_page(names: list[str]) -> list[str]:
    thinkers = list(offered(names, simulations=0).values())[: len(names)]
    for thinker in thinkers:
        session = Session.deal(4, (thinker.name, PERSON), 1)
        while not session.state.is_terminal:
            thought = thinker.think(session.state, 4)
            session.play(thought.action, thought)
    return [NAMES.get(name, name) for name in names]


Consumer = Callable[[list[str]], list[str]]
CONSUMERS: dict[str, tuple[str, Consumer]] = {
    "pool": ("opponents", by_pool),
    "validation": ("evaluation.opponents", by_validation),
    "test": ("test.opponents", by_test),
    "tournament": ("agents", by_tournament),
    "report": ("opponents", by_report),
    "play": ("agent", by_terminal),
    "web": ("agent", by_page),
}


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_every_kind_of_name_is_played(consumer: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert CONSUMERS[consumer][1](list(NAMES)) == list(NAMES.values())
    if consumer == "play":
        assert len(re.findall(r"You win|You lose|The game is over", capsys.readouterr().out)) == len(NAMES)


WRONG = [
    "nobody",
    "skonk",
    "ismcts:none",
    "nowhere.ckpt@64",
    "iter1.ckpt@1000001",
    "empty",
    "damaged.ckpt",
    "no_such_package.Agent",
    "named_agents.Place",
    "named_agents.Place(3)",
    "named_agents.Place(place=len)",
]


@pytest.mark.parametrize("name", WRONG)
def test_every_consumer_refuses_a_wrong_name_with_one_message(name: str, folder: Path) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "damaged.ckpt").write_bytes((folder / "iter1.ckpt").read_bytes()[:2000])
    messages = set()
    for field, consume in CONSUMERS.values():
        with pytest.raises(ValueError, match=rf"^{field}: ") as refused:
            consume([name])
        messages.add(str(refused.value).removeprefix(f"{field}: "))
    assert len(messages) == 1, messages


def test_every_consumer_refuses_an_opponent_of_another_game(folder: Path) -> None:
    said = ": tactical plays connect_four, expected beasty_bar, whose built-in opponents are random, "
    refusals: list[tuple[str, Callable[[], object]]] = [
        ("opponent_pool", lambda: SelfPlayDataModule(opponent_pool=OpponentPool(["tactical"]))),
        ("evaluation.opponents", lambda: SelfPlayDataModule(evaluation=EvaluationSettings(opponents=["tactical"]))),
        ("test.opponents", lambda: SelfPlayDataModule(test=TestSettings(opponents=["tactical"]))),
        ("agents", lambda: load_contestants(["tactical", "skunk"], "beasty_bar")),
        ("opponents", lambda: by_report(["tactical"])),
        ("agent", lambda: play("tactical")),
    ]
    for field, refuse in refusals:
        with pytest.raises(ValueError, match=f"^{field}{said}"):
            refuse()


def test_a_file_is_not_needed_after_it_was_read(folder: Path) -> None:
    path = folder / "soon_gone.ckpt"
    shutil.copy(folder / "iter1.ckpt", path)
    pool = OpponentPool([str(path)], 0.0, 0.0)
    path.unlink()
    assert SelfPlayDataModule(opponent_pool=pool).evaluation.opponents == ("soon_gone",)
    assert pool.players_of(pool.plan(2), small())["soon_gone"].player(1)
