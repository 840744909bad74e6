"""What search calls for leaves: a network behind numpy arrays."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from lit_trainer.networks import PolicyValueNetwork

Floats = NDArray[np.float32]


class Evaluator(Protocol):
    """Anything that rates positions for `sim_core.search`."""

    def __call__(self, observations: Floats, legal_mask: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Observations [m, OBSERVATION_SIZE] and legal actions [m, A] to logits [m, A] and values [m]."""
        ...


class TorchEvaluator:
    """A network in evaluation mode, on whatever device it lies.

    Leaving the ``with`` block puts the network's mode back, so that learning goes on as it was.

    Args:
        network: not copied; later weight changes are seen.
    """

    def __init__(self, network: PolicyValueNetwork) -> None:
        self.network = network

    def __enter__(self) -> TorchEvaluator:
        self._was_training = self.network.training
        self.network.eval()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.network.train(self._was_training)

    @torch.inference_mode()
    def __call__(self, observations: Floats, legal_mask: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        weights = next(self.network.parameters())
        inputs = torch.from_numpy(np.ascontiguousarray(observations, dtype=np.float32)).to(weights)
        logits, values = self.network(inputs)
        return logits.float().cpu().numpy(), values.float().cpu().numpy()
