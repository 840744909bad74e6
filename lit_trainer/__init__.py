"""AlphaZero on PyTorch Lightning: network, loss, self-play data, opponents, evaluation and the command line."""

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
