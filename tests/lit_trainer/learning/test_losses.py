"""The loss against plain arithmetic over the legal actions alone, and its gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_trainer.learning.losses import alphazero_loss, masked_log_softmax, policy_entropy

A = 33


def random_batch(seed: int, rows: int = 6, scale: float = 3.0) -> dict[str, torch.Tensor]:
    """Returns logits, values and targets. Each row has from 1 to 15 legal actions."""
    rng = np.random.default_rng(seed)
    legal = np.zeros((rows, A), bool)
    target = np.zeros((rows, A))
    for row in range(rows):
        actions = rng.choice(A, rng.integers(1, 16), replace=False)
        legal[row, actions] = True
        target[row, actions] = rng.dirichlet(np.full(len(actions), 0.7))
    return {
        "logits": torch.from_numpy(scale * rng.standard_normal((rows, A))),
        "value": torch.from_numpy(rng.uniform(-1, 1, rows)),
        "policy_target": torch.from_numpy(target),
        "value_target": torch.from_numpy(rng.integers(-1, 2, rows).astype(float)),
        "legal_mask": torch.from_numpy(legal),
    }


def policy_of(logits: torch.Tensor, legal: torch.Tensor) -> list[dict[int, float]]:
    """Returns each row's probabilities over its legal actions, by plain arithmetic."""
    rows = []
    for row in range(len(logits)):
        actions = torch.nonzero(legal[row]).flatten().tolist()
        weights = {k: math.exp(float(logits[row, k])) for k in actions}
        rows.append({k: weight / sum(weights.values()) for k, weight in weights.items()})
    return rows


@given(st.integers(0, 10**6), st.floats(0, 3), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_terms_by_plain_arithmetic(seed: int, value_coef: float, entropy_coef: float) -> None:
    batch = random_batch(seed)
    loss = alphazero_loss(**batch, value_coef=value_coef, entropy_coef=entropy_coef)
    policies = policy_of(batch["logits"], batch["legal_mask"])
    cross_entropies = [
        -sum(float(batch["policy_target"][row, k]) * math.log(p) for k, p in policy.items())
        for row, policy in enumerate(policies)
    ]
    entropies = [-sum(p * math.log(p) for p in policy.values()) for policy in policies]
    errors = [float(v - z) ** 2 for v, z in zip(batch["value"], batch["value_target"], strict=True)]
    assert math.isclose(float(loss.policy), sum(cross_entropies) / 6, rel_tol=1e-9)
    assert math.isclose(float(loss.entropy), sum(entropies) / 6, rel_tol=1e-9, abs_tol=1e-12)
    assert math.isclose(float(loss.value), sum(errors) / 6, rel_tol=1e-9)
    expected = float(loss.policy) + value_coef * float(loss.value) - entropy_coef * float(loss.entropy)
    assert math.isclose(float(loss.total), expected, rel_tol=1e-9, abs_tol=1e-12)


def test_uniform_logits_cost_the_logarithm_of_the_legal_actions() -> None:
    batch = random_batch(1)
    batch["logits"] = torch.full((6, A), 5.0)
    number = batch["legal_mask"].sum(dim=1)
    loss = alphazero_loss(**batch)
    assert float(loss.policy) == pytest.approx(float(number.log().mean()))
    assert float(loss.entropy) == pytest.approx(float(number.log().mean()))


def test_gradient_is_the_policy_less_its_target() -> None:
    batch = random_batch(2)
    batch["logits"].requires_grad_()
    alphazero_loss(**batch, value_coef=0.0).total.backward()
    policies = policy_of(batch["logits"].detach(), batch["legal_mask"])
    expected = torch.zeros(6, A, dtype=torch.double)
    for row, policy in enumerate(policies):
        for k, p in policy.items():
            expected[row, k] = (p - batch["policy_target"][row, k]) / 6
    assert torch.allclose(batch["logits"].grad, expected, atol=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_illegal_logits_and_a_common_shift_do_not_matter(seed: int) -> None:
    """Fails if probability of illegal actions is learned as if they were moves."""
    batch = random_batch(seed)
    expected = alphazero_loss(**batch, entropy_coef=0.3)
    shift = torch.arange(6)[:, None] * 7.0 - 20.0
    batch["logits"] = torch.where(batch["legal_mask"], batch["logits"] + shift, 80.0 * batch["logits"])
    batch["logits"].requires_grad_()
    loss = alphazero_loss(**batch, entropy_coef=0.3)
    assert torch.allclose(torch.stack(loss[:4]), torch.stack(expected[:4]), rtol=1e-9)
    loss.total.backward()
    assert not batch["logits"].grad[~batch["legal_mask"]].any()
    assert batch["logits"].grad.sum(dim=1).abs().max() < 1e-9


def test_rows_without_a_target_teach_the_value_alone() -> None:
    """Fails if moves without search, which have no policy target, dilute the policy's term."""
    batch = random_batch(3, rows=8)
    searched = {key: value[:5] for key, value in batch.items()}
    batch["policy_target"][5:] = 0.0
    batch["logits"].requires_grad_()
    loss = alphazero_loss(**batch)
    searched["logits"] = searched["logits"].detach()
    assert loss.policy.item() == pytest.approx(float(alphazero_loss(**searched).policy))
    assert float(loss.value) == pytest.approx(float(((batch["value"] - batch["value_target"]) ** 2).mean()))
    loss.total.backward()
    assert not batch["logits"].grad[5:].any()
    batch["policy_target"][:] = 0.0
    assert alphazero_loss(**batch).policy.item() == 0.0


def test_entropy_bonus_raises_entropy() -> None:
    """Fails if the bonus has the wrong sign, and so sharpens the policy."""
    batch = random_batch(4)
    logits = batch["logits"].requires_grad_()
    before = policy_entropy(masked_log_softmax(logits, batch["legal_mask"]), batch["legal_mask"]).mean()
    batch["policy_target"] = torch.zeros(6, A, dtype=torch.double)
    alphazero_loss(**batch, value_coef=0.0, entropy_coef=1.0).total.backward()
    stepped = (logits - 0.1 * logits.grad).detach()
    after = policy_entropy(masked_log_softmax(stepped, batch["legal_mask"]), batch["legal_mask"]).mean()
    assert float(after) > float(before.detach())


def test_the_best_policy_is_the_target() -> None:
    """Fails if any logits cost less than the target's own logarithms (Gibbs' inequality)."""
    batch = random_batch(5)
    best = dict(batch, logits=batch["policy_target"].clamp(min=1e-300).log())
    least = float(alphazero_loss(**best, value_coef=0.0).total)
    for seed in range(20):
        other = dict(batch, logits=random_batch(seed)["logits"])
        assert float(alphazero_loss(**other, value_coef=0.0).total) > least


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_large_logits_stay_finite(dtype: torch.dtype, scale: float) -> None:
    batch = {
        key: value if key == "legal_mask" else value.to(dtype)
        for key, value in random_batch(6, rows=16, scale=scale).items()
    }
    batch["logits"].requires_grad_()
    loss = alphazero_loss(**batch, entropy_coef=0.04)
    loss.total.backward()
    assert all(torch.isfinite(term) for term in loss[:4])
    assert torch.isfinite(batch["logits"].grad).all()


def test_half_precision_logits_keep_finite_gradients() -> None:
    """Fails if masked logits overflow in half precision: zero times minus infinity is not a number."""
    batch = {key: value if key == "legal_mask" else value.half() for key, value in random_batch(6, scale=20.0).items()}
    batch["logits"].requires_grad_()
    loss = alphazero_loss(**batch, entropy_coef=0.04)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert torch.isfinite(batch["logits"].grad).all()


def test_a_finished_position_does_no_harm() -> None:
    batch = random_batch(7)
    batch["legal_mask"][2] = False
    batch["policy_target"][2] = 0.0
    batch["logits"].requires_grad_()
    loss = alphazero_loss(**batch, entropy_coef=0.5)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert torch.isfinite(batch["logits"].grad).all()
    entropies = policy_entropy(masked_log_softmax(batch["logits"], batch["legal_mask"]), batch["legal_mask"])
    assert float(entropies[2].detach()) == 0.0
