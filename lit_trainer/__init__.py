"""AlphaZero on PyTorch Lightning: network, loss, self-play data, opponents, evaluation and the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lit_trainer import old_paths

old_paths.install()  # files written before a move name classes by their old places

if TYPE_CHECKING:
    from lit_trainer.checkpoints.safetensors import load_network
    from lit_trainer.checkpoints.writer import AtomicCheckpointIO
    from lit_trainer.learning.data_module import SelfPlayDataModule
    from lit_trainer.learning.datasets import SelfPlayDataset
    from lit_trainer.learning.module import AlphaZeroModule
    from lit_trainer.measuring.metrics import WinRate
    from lit_trainer.networks.base import PolicyValueNetwork
    from lit_trainer.networks.evaluators import Evaluator, OnnxEvaluator, TorchEvaluator, make_evaluator
    from lit_trainer.networks.residual_mlp import ResidualMLP
    from lit_trainer.networks.transformer import TransformerNetwork
    from lit_trainer.players.adaptive_pool import AdaptiveOpponentPool
    from lit_trainer.players.agents import IsmctsAgent, NetworkAgent, load_agent
    from lit_trainer.players.opponent_pool import OpponentPool
    from lit_trainer.players.protocols import Agent
    from lit_trainer.reporting.evaluation_report import EvaluationReport
    from lit_trainer.reporting.logged_figures import EvaluationFigures
    from lit_trainer.reporting.progress_bar import SelfPlayProgressBar
    from lit_trainer.reporting.time_report import TimeReport
    from lit_trainer.self_play.games import generate_games_batched_by_opponent

__all__ = [
    "AdaptiveOpponentPool",
    "Agent",
    "AlphaZeroModule",
    "AtomicCheckpointIO",
    "EvaluationFigures",
    "EvaluationReport",
    "Evaluator",
    "IsmctsAgent",
    "NetworkAgent",
    "OnnxEvaluator",
    "OpponentPool",
    "PolicyValueNetwork",
    "ResidualMLP",
    "SelfPlayDataModule",
    "SelfPlayDataset",
    "SelfPlayProgressBar",
    "TimeReport",
    "TorchEvaluator",
    "TransformerNetwork",
    "WinRate",
    "generate_games_batched_by_opponent",
    "load_agent",
    "load_network",
    "make_evaluator",
]

_MODULES = {
    "learning.data_module": ("SelfPlayDataModule",),
    "learning.datasets": ("SelfPlayDataset",),
    "learning.module": ("AlphaZeroModule",),
    "checkpoints.safetensors": ("load_network",),
    "checkpoints.writer": ("AtomicCheckpointIO",),
    "measuring.metrics": ("WinRate",),
    "networks.base": ("PolicyValueNetwork",),
    "networks.evaluators": ("Evaluator", "OnnxEvaluator", "TorchEvaluator", "make_evaluator"),
    "networks.residual_mlp": ("ResidualMLP",),
    "networks.transformer": ("TransformerNetwork",),
    "players.adaptive_pool": ("AdaptiveOpponentPool",),
    "players.agents": ("IsmctsAgent", "NetworkAgent", "load_agent"),
    "players.opponent_pool": ("OpponentPool",),
    "players.protocols": ("Agent",),
    "reporting.evaluation_report": ("EvaluationReport",),
    "reporting.logged_figures": ("EvaluationFigures",),
    "reporting.progress_bar": ("SelfPlayProgressBar",),
    "reporting.time_report": ("TimeReport",),
    "self_play.games": ("generate_games_batched_by_opponent",),
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
