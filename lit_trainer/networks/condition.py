"""Says what networks can be told besides an observation, and puts it behind observations for evaluators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_trainer.networks.base import PolicyValueNetwork
from sim_core import AgentModel, Belief, get_game
from sim_core.game import GameHandle

Floats = NDArray[np.float32]

CONDITIONS = ("none", "opponent", "belief")
"""The kinds of what a network can be told besides its observation, see `condition_size`."""


def condition_size(game: str, kind: str) -> int:
    """Returns how many numbers tell a network what its observation does not hold.

    Args:
        game: Name of the game.
        kind: "none", nothing. "opponent", the probability of each built-in opponent, in the game's order, to be the one
            that it plays against. "belief", these and the probability of each hidden card to be in the opponent's hand.
            Zeros mean unknown.

    Raises:
        ValueError: The kind is unknown, or the game has nothing of it to tell.
    """
    rules = get_game(game)
    opponents, cards = len(rules.opponents), rules.hidden_size
    sizes = {"none": 0, "opponent": opponents, "belief": opponents + cards if cards else 0}
    if kind not in sizes or (kind != "none" and not sizes[kind]):
        fitting = [name for name in CONDITIONS if name == "none" or sizes[name]]
        raise ValueError(f"condition: {kind!r} given, expected one of {', '.join(fitting)} for {game}")
    return sizes[kind]


def with_condition(observations: Floats, size: int, conditions: Floats | None = None) -> Floats:
    """Returns rows for an evaluator: observations, and behind them their conditions.

    Args:
        observations: Observations [m, OBSERVATION_SIZE].
        size: The evaluator's ``condition_size``.
        conditions: Conditions [m, size]. None: zeros, nothing is known.

    Raises:
        ValueError: The conditions have another shape.
    """
    shape = (len(observations), size)
    if conditions is None:
        conditions = np.zeros(shape, np.float32)
    elif conditions.shape != shape:
        raise ValueError(f"conditions: shape {conditions.shape} given, expected {shape}")
    return np.hstack([observations, conditions]).astype(np.float32, copy=False) if size else observations


def condition_of(
    opponent: str | AgentModel | None, rows: int, rules: GameHandle, size: int, beliefs: Sequence[Belief] = ()
) -> Floats | None:
    """Returns what a network is told where it expects one opponent, or one of several.

    Args:
        opponent: Name of the opponent that it expects where it has no beliefs. An agent, or None: it is told of nobody.
        rows: Number of positions m.
        rules: The game.
        size: The evaluator's ``condition_size``.
        beliefs: What is believed of opponent and hand in each position. Empty: nothing is believed.

    Returns:
        The conditions [m, size]. None: there is nothing to tell.
    """
    if not size or (opponent is None and not beliefs):
        return None
    conditions = np.zeros((rows, size), np.float32)
    if isinstance(opponent, str):
        conditions[:, rules.opponents.index(opponent)] = 1.0
    for row, belief in zip(conditions, beliefs, strict=False):
        probabilities = {} if belief.is_lost else belief.opponent_probabilities()
        known = {name: share for name, share in probabilities.items() if name in rules.opponents}
        row[: len(rules.opponents)] = [known.get(name, 0.0) for name in rules.opponents]
        if size > len(rules.opponents):
            # of a hand, too, only that part is told that goes with a known opponent
            row[len(rules.opponents) :] = belief.card_probabilities() * np.float32(sum(known.values()))
    return conditions


def with_condition_layer(weights: Mapping[str, Any], like: Mapping[str, Tensor]) -> dict[str, Any]:
    """Returns the weights of a network that cannot be told anything for one that can: it computes the same at first.

    Args:
        weights: Weights by name.
        like: Weights, by name, of the network that is to take them. Those of its ``condition_layer`` are zeros if they
            are missing.
    """
    added = [name for name in like if "condition_layer" in name.split(".")]
    return {**{name: torch.zeros_like(like[name], device="cpu") for name in added}, **weights}


def whole_rows(network: PolicyValueNetwork, observations: Floats) -> Floats:
    """Returns what an evaluator was given as whole rows. Where conditions are left out, nothing is known."""
    if network.condition_size and observations.shape[1] == network.observation_size:
        observations = with_condition(observations, network.condition_size)
    return np.ascontiguousarray(observations, dtype=np.float32)
