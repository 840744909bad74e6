"""Old import paths, under which checkpoints, saved configurations and records name classes."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec

import pytest

import lit_trainer
from lit_trainer import AlphaZeroModule, PolicyValueNetwork, ResidualMLP
from lit_trainer.old_paths import OLD_MODULES, OldModules, current_path, install, public_path
from sim_core import get_game

OLD = [(module, name) for module, names in OLD_MODULES.items() for name in names]


@pytest.mark.parametrize(("module", "name"), OLD)
def test_an_old_path_is_the_public_object(module: str, name: str) -> None:
    found = getattr(importlib.import_module(f"lit_trainer.{module}"), name)
    assert found is getattr(lit_trainer, name)
    assert current_path(f"lit_trainer.{module}.{name}") == f"lit_trainer.{name}"
    assert name in lit_trainer.__all__


def test_a_former_module_has_its_old_names_alone() -> None:
    former = importlib.import_module("lit_trainer.figures")
    assert former.__all__ == ["EvaluationFigures"]
    with pytest.raises(AttributeError, match=r"'lit_trainer\.figures' has no attribute 'win_rate_map'"):
        former.win_rate_map  # noqa: B018
    with pytest.raises(ImportError, match="no_such"):
        from lit_trainer.networks import no_such  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"lit_trainer\.never_there"):
        importlib.import_module("lit_trainer.never_there")


def test_packages_of_today_are_not_hidden() -> None:
    for package in ("networks", "players", "reporting", "cli", "play", "checkpoints", "measuring", "learning"):
        spec = find_spec(f"lit_trainer.{package}")
        assert spec is not None and spec.submodule_search_locations, package
    assert isinstance(sys.meta_path[-1], OldModules)


def test_it_is_installed_once() -> None:
    install()
    assert sum(isinstance(finder, OldModules) for finder in sys.meta_path) == 1


def test_old_modules_import_nothing_before_they_are_asked() -> None:
    code = (
        "import sys, lit_trainer.figures, lit_trainer.module, lit_trainer.networks\n"
        "assert not {'torch', 'lightning', 'matplotlib'} & set(sys.modules)\n"
        "from lit_trainer.agents import NetworkAgent\n"
        "assert 'torch' in sys.modules and 'lightning' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_path_says_where_a_class_is_found_by_everyone() -> None:
    class Own(PolicyValueNetwork):
        """A user's network."""

    assert public_path(ResidualMLP) == "lit_trainer.ResidualMLP"
    assert public_path(AlphaZeroModule) == "lit_trainer.AlphaZeroModule"
    assert public_path(Own) == f"{__name__}.{Own.__qualname__}"
    assert public_path(type(get_game("beasty_bar"))).startswith("sim_core.")
    assert current_path("my_package.MyNetwork") == "my_package.MyNetwork"
