"""The AlphaZero loss as pure functions of tensors (Silver et al. 2017, with an entropy bonus)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class AlphaZeroLoss(NamedTuple):
    """The loss and its terms, scalars."""

    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor
    margin: Tensor | None = None
    """Of networks with auxiliary heads, as the next."""
    hand: Tensor | None = None


def masked_log_softmax(logits: Tensor, legal_mask: Tensor) -> Tensor:
    """Log-probabilities over legal actions [B, A]; illegal ones get the most negative finite number.

    A row without a legal action is uniform over all.
    """
    return torch.log_softmax(logits.masked_fill(~legal_mask, torch.finfo(logits.dtype).min), dim=-1)


def policy_entropy(log_probabilities: Tensor, legal_mask: Tensor) -> Tensor:
    """Entropy of each row's policy over legal actions [B], in nats."""
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
    """Cross-entropy to the search's policy, squared error to the outcome, less the entropy bonus.

    Args:
        logits: policy logits [B, A].
        value: predicted value for the player to move [B], -1 to 1.
        policy_target: search policy [B, A]; a row sums to 1, or to 0 where there is no target.
        value_target: outcome for the player to move [B].
        legal_mask: bool [B, A].
        value_coef: weight of the value term.
        entropy_coef: weight of the policy's entropy, in nats.
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
    """Mean squared error to the final margin [B], over the positions whose margin is known (not NaN); else 0."""
    known = ~target.isnan()
    # replaced before the difference: NaN times zero would spoil the gradient
    error = (margin - target.nan_to_num()) * known
    return error.square().sum() / known.sum().clamp(min=1)


def hidden_loss(logits: Tensor, answers: Tensor) -> Tensor:
    """Mean cross-entropy, in nats, of the answers [B, H] 0 or 1; those of -1 are left out. 0 where none is left."""
    asked = answers >= 0
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, answers.clamp(min=0), reduction="none")
    return (cross_entropy * asked).sum() / asked.sum().clamp(min=1)
