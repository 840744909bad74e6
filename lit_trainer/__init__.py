"""AlphaZero on PyTorch Lightning: network, loss, self-play data, opponents, evaluation and the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lit_trainer.agents import NetworkAgent, load_agent
    from lit_trainer.datamodule import SelfPlayDataModule
    from lit_trainer.evaluators import Evaluator, OnnxEvaluator, TorchEvaluator, make_evaluator
    from lit_trainer.game_generator import generate_games_batched_by_opponent
    from lit_trainer.ismcts import IsmctsAgent
    from lit_trainer.metrics import WinRate
    from lit_trainer.module import AlphaZeroModule
    from lit_trainer.networks import PolicyValueNetwork, ResidualMLP, TransformerNetwork
    from lit_trainer.opponent_pool import AdaptiveOpponentPool, OpponentPool
    from lit_trainer.players import Agent
    from lit_trainer.selfplay import SelfPlayDataset
    from lit_trainer.weight_files import load_network

__all__ = [
    "AdaptiveOpponentPool",
    "Agent",
    "AlphaZeroModule",
    "Evaluator",
    "IsmctsAgent",
    "NetworkAgent",
    "OnnxEvaluator",
    "OpponentPool",
    "PolicyValueNetwork",
    "ResidualMLP",
    "SelfPlayDataModule",
    "SelfPlayDataset",
    "TorchEvaluator",
    "TransformerNetwork",
    "WinRate",
    "generate_games_batched_by_opponent",
    "load_agent",
    "load_network",
    "make_evaluator",
]

_MODULES = {
    "agents": ("NetworkAgent", "load_agent"),
    "datamodule": ("SelfPlayDataModule",),
    "evaluators": ("Evaluator", "OnnxEvaluator", "TorchEvaluator", "make_evaluator"),
    "game_generator": ("generate_games_batched_by_opponent",),
    "ismcts": ("IsmctsAgent",),
    "metrics": ("WinRate",),
    "module": ("AlphaZeroModule",),
    "networks": ("PolicyValueNetwork", "ResidualMLP", "TransformerNetwork"),
    "opponent_pool": ("AdaptiveOpponentPool", "OpponentPool"),
    "players": ("Agent",),
    "selfplay": ("SelfPlayDataset",),
    "weight_files": ("load_network",),
}


def __getattr__(name: str) -> object:
    """A public name from where it is defined, only when it is asked for: playing imports no Lightning then."""
    for module, names in _MODULES.items():
        if name in names:
            found: object = getattr(import_module(f"lit_trainer.{module}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module 'lit_trainer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
