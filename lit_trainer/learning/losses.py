"""Computes the AlphaZero loss as pure functions of tensors (Silver et al. 2017, with an entropy bonus)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class AlphaZeroLoss(NamedTuple):
    """Holds the loss and its terms, each a scalar."""

    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor
    margin: Tensor | None = None
    """Margin term. Set only for networks with auxiliary heads."""
    hand: Tensor | None = None
    """Hidden-hand term. Set only for networks with auxiliary heads, of games that have hidden hands."""


def masked_log_softmax(logits: Tensor, legal_mask: Tensor) -> Tensor:
    """Returns log-probabilities over legal actions [B, A]. Illegal actions get the most negative finite number.

    A row without a legal action is uniform over all actions.
    """
    return torch.log_softmax(logits.masked_fill(~legal_mask, torch.finfo(logits.dtype).min), dim=-1)


def policy_entropy(log_probabilities: Tensor, legal_mask: Tensor) -> Tensor:
    """Returns the entropy of each row's policy over legal actions [B], in nats."""
    # masked before the product: minus infinity (half precision) times zero would spoil the gradient
    return -(log_probabilities.exp() * log_probabilities.masked_fill(~legal_mask, 0.0)).sum(dim=-1)


def alphazero_loss(
    logits: Tensor,
    value: Tensor,
    policy_target: Tensor,
    value_target: Tensor,
    legal_mask: Tensor,
    *,
    value_coef: float = 1.0,
    entropy_coef: float = 0.0,
) -> AlphaZeroLoss:
    """Returns the cross-entropy to the search's policy plus the squared error to the outcome, less the entropy bonus.

    Args:
        logits: Policy logits [B, A].
        value: Predicted value for the player to move [B], from -1 to 1.
        policy_target: Policy of the search [B, A]. A row sums to 1, or to 0 where there is no target.
        value_target: Outcome for the player to move [B].
        legal_mask: Legal actions, bool [B, A].
        value_coef: Weight of the value term.
        entropy_coef: Weight of the policy's entropy, in nats.
    """
    log_probabilities = masked_log_softmax(logits, legal_mask)
    has_target = policy_target.sum(dim=-1) > 0.5
    cross_entropy = -(policy_target * log_probabilities).masked_fill(~legal_mask, 0.0).sum(dim=-1)
    policy = cross_entropy.sum() / has_target.sum().clamp(min=1)
    value_term = functional.mse_loss(value, value_target)
    entropy = policy_entropy(log_probabilities, legal_mask).mean()
    total = policy + value_coef * value_term - entropy_coef * entropy
    return AlphaZeroLoss(total, policy, value_term, entropy)


def margin_loss(margin: Tensor, target: Tensor) -> Tensor:
    """Returns the mean squared error to the final margin [B] over positions whose margin is known. NaN: unknown.

    Where no margin is known the result is 0.
    """
    known = ~target.isnan()
    # replaced before the difference: NaN times zero would spoil the gradient
    error = (margin - target.nan_to_num()) * known
    return error.square().sum() / known.sum().clamp(min=1)


def hidden_loss(logits: Tensor, answers: Tensor) -> Tensor:
    """Returns the mean cross-entropy, in nats, to the answers [B, H], each 0 or 1. Answers of -1 are left out.

    Where no answer is left the result is 0.
    """
    asked = answers >= 0
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, answers.clamp(min=0), reduction="none")
    return (cross_entropy * asked).sum() / asked.sum().clamp(min=1)
