"""Keeps old import paths valid, because checkpoints, saved configurations and records name classes by them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType

OLD_MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "agents": ("NetworkAgent", "load_agent"),
        "checkpoint_io": ("AtomicCheckpointIO",),
        "datamodule": ("SelfPlayDataModule",),
        "evaluators": ("Evaluator", "OnnxEvaluator", "TorchEvaluator", "make_evaluator"),
        "figures": ("EvaluationFigures",),
        "game_generator": ("generate_games_batched_by_opponent",),
        "ismcts": ("IsmctsAgent",),
        "metrics": ("WinRate",),
        "module": ("AlphaZeroModule",),
        "networks": ("PolicyValueNetwork", "ResidualMLP", "TransformerNetwork"),
        "opponent_pool": ("AdaptiveOpponentPool", "OpponentPool"),
        "players": ("Agent",),
        "progress": ("SelfPlayProgressBar",),
        "reporting": ("EvaluationReport",),
        "selfplay": ("SelfPlayDataset",),
        "time_report": ("TimeReport",),
        "weight_files": ("load_network",),
    }
)
"""Former modules of `lit_trainer` and the public names each had: ``lit_trainer.agents.NetworkAgent`` is now
``lit_trainer.NetworkAgent``."""

_ROOT = "lit_trainer"
_CURRENT = {f"{_ROOT}.{module}.{name}": f"{_ROOT}.{name}" for module, names in OLD_MODULES.items() for name in names}


def current_path(path: str) -> str:
    """Returns the public path of what a file names by an old path; other paths stay as they are.

    >>> current_path("lit_trainer.networks.ResidualMLP")
    'lit_trainer.ResidualMLP'
    """
    return _CURRENT.get(path, path)


def public_path(cls: type) -> str:
    """Returns the path under which files name a class: `lit_trainer`'s public name if it has one, else its module's.

    Files that name it by this path stay readable when the class moves to another module.
    """
    public = f"{_ROOT}.{cls.__qualname__}"
    if cls.__module__.startswith(f"{_ROOT}.") and public_object(public) is cls:
        return public
    return f"{cls.__module__}.{cls.__qualname__}"


def public_object(path: str) -> object:
    """Returns what `lit_trainer` offers under a public path, ``lit_trainer.ResidualMLP``; None for any other path."""
    root, _, name = path.rpartition(".")
    return getattr(sys.modules[_ROOT], name, None) if root == _ROOT else None


def old_names(module: str) -> Callable[[str], object]:
    """Returns a module's ``__getattr__``, which finds the public names that the module had before the move.

    Args:
        module: Full name of the module, ``lit_trainer.networks``.
    """
    names = OLD_MODULES[module.removeprefix(f"{_ROOT}.")]

    def find(name: str) -> object:
        if name in names:
            return getattr(sys.modules[_ROOT], name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return find


class OldModules:
    """Finds and makes the former modules of `lit_trainer`, each empty but for its public names."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of a former module, None for every other name."""
        root, _, module = name.partition(".")
        return ModuleSpec(name, self) if root == _ROOT and module in OLD_MODULES else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leaves making the module to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module its names; nothing is imported before one is asked for."""
        module.__doc__ = f"The former place of names that `{_ROOT}` has now."
        vars(module).update(
            __all__=list(OLD_MODULES[module.__name__.removeprefix(f"{_ROOT}.")]),
            __getattr__=old_names(module.__name__),
        )


def install() -> None:
    """Makes former modules importable. Python asks for them last, so no real module is hidden."""
    if not any(isinstance(finder, OldModules) for finder in sys.meta_path):
        sys.meta_path.append(OldModules())
