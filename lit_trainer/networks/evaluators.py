"""Rates positions for search: a network behind numpy arrays, quick and callable from several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.condition import whole_rows
from lit_trainer.networks.kernels import Forward

Floats = NDArray[np.float32]

PRECISIONS = ("auto", "fp32", "bf16")
ONNX_PRECISIONS = ("fp32", "int8")


class Evaluator(Protocol):
    """Rates positions for searches.

    An evaluator with an attribute ``condition_size`` above 0 gets that many further columns: what its network is told
    besides an observation.
    """

    def __call__(self, observations: Floats, legal_mask: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Returns logits [m, A] and values [m] of observations [m, OBSERVATION_SIZE] and legal actions [m, A].

        The returned arrays do not change until the same thread's next call.
        """
        ...


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name}: {value!r} given, expected one of {', '.join(choices)}")
    return value


class _Buffers(threading.local):
    """Keeps one thread's memory, which grows as needed and is page-locked if it feeds a GPU."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._observations = torch.empty(0, columns)

    def observations(self, rows: int, pinned: bool) -> Tensor:
        """Returns float32 [rows, columns] on the CPU, the same memory as long as it suffices."""
        if rows < 0:
            raise ValueError(f"rows: {rows} given, expected 0 or more")
        held = self._observations
        if len(held) < rows or (pinned and not held.is_pinned()):
            held = self._observations = torch.empty(max(rows, len(held)), self._columns, pin_memory=pinned)
        return held[:rows]


class _GpuThread(threading.local):
    """Keeps one thread's stream on a GPU and the page-locked memory that results arrive in."""

    def __init__(self, num_actions: int) -> None:
        self._num_actions = num_actions
        self._device: torch.device | None = None
        self._logits, self._values = torch.empty(0, num_actions), torch.empty(0)

    def run(self, device: torch.device, host: Tensor, forward: Forward) -> tuple[Tensor, Tensor]:
        """Returns `forward` of page-locked rows. Other threads run while this one waits."""
        rows = len(host)
        if device != self._device:
            self._device = device
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            # blocking: the wait sleeps, so that other threads can use the core
            self._done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        if len(self._values) < rows:
            self._logits = torch.empty(rows, self._num_actions, pin_memory=True)
            self._values = torch.empty(rows, pin_memory=True)
        logits, values = self._logits[:rows], self._values[:rows]
        # the weights were last written on that stream, maybe a moment ago
        self._stream.wait_stream(torch.cuda.default_stream(device))
        with torch.cuda.stream(self._stream):
            found = forward(host.to(device, non_blocking=True))
            logits.copy_(found[0].float(), non_blocking=True)
            values.copy_(found[1].float(), non_blocking=True)
            self._done.record(self._stream)
        self._done.synchronize()
        return logits, values


class TorchEvaluator:
    """Rates positions by a network in evaluation mode, on its device. Several threads may call it at once.

    A network's `fast_forward` is used if it has one, otherwise its forward. A `ResidualMLP` has one, within 1e-5 of its
    forward in fp32; on an x86 CPU its result for a row in fp32 does not depend on the other rows, to the last bit. A
    subclass with another forward has none. On a GPU every thread has its own stream.

    Weights in their own precision are used where they are, so that later changes of their values count at once. For
    another precision a `ResidualMLP`'s weights are copied. `refresh` copies them again, and so does entering the
    ``with`` block. Leaving it restores the network's mode, so that learning goes on as before.

    Args:
        network: The network. It is not copied.
        precision: Precision of weights and activations: "fp32", "bf16", or "auto", which is bf16 on CUDA and the
            weights' own elsewhere. Networks without `fast_forward` compute in their weights' own precision, and for
            "bf16" under autocast. Default: "auto".

    Raises:
        ValueError: The precision is unknown.
    """

    def __init__(self, network: PolicyValueNetwork, precision: str = "auto") -> None:
        self.network = network
        self.precision = _one_of("precision", precision, PRECISIONS)
        self._modes: list[bool] = []
        self.condition_size = network.condition_size
        """Columns behind an observation, for what the network is told besides. Rows may come without them."""
        self._buffers = _Buffers(network.observation_size + network.condition_size)
        self._gpu = _GpuThread(network.num_actions)
        self.refresh()

    def refresh(self) -> None:
        """Takes the weights as they are now, with copies if needed. Calls under way finish with the old ones."""
        self._weight = next(self.network.parameters(), torch.empty(0))
        self._prepare(self._weight.device, self._weight.dtype)

    def _prepare(self, device: torch.device, own: torch.dtype) -> None:
        wanted = {"fp32": torch.float32, "bf16": torch.bfloat16}.get(self.precision)
        if wanted is None:
            wanted = torch.bfloat16 if device.type == "cuda" else own
        lowers = wanted == torch.bfloat16 and own != wanted
        self._forward = self.network.fast_forward(wanted) or self._any_network(device, own, autocast=lowers)
        self._prepared = device, own

    def _any_network(self, device: torch.device, own: torch.dtype, autocast: bool) -> Forward:
        network, size = self.network, self.network.observation_size

        def forward(x: Tensor) -> tuple[Tensor, Tensor]:
            x = x.to(own)
            logits, values = network(x[:, :size], x[:, size:]) if network.condition_size else network(x)
            return logits, values

        def lowered(x: Tensor) -> tuple[Tensor, Tensor]:
            # autocast's cache is shared by threads: it would give one stream what another has not written yet
            with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
                return forward(x)

        return lowered if autocast else forward

    def __reduce__(self) -> tuple[type[Self], tuple[PolicyValueNetwork, str]]:
        return type(self), (self.network, self.precision)

    def __enter__(self) -> Self:
        self._modes.append(self.network.training)
        self.network.eval()
        self.refresh()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.network.train(self._modes.pop())

    def observation_buffer(self, rows: int) -> Floats:
        """Returns the calling thread's memory [rows, OBSERVATION_SIZE + condition_size]. Rows there need no copy.

        Its contents are undefined at first. Another call of the same thread may return the same memory. It is
        page-locked if the network is on a GPU.
        """
        buffer: Floats = self._buffers.observations(rows, self._weight.is_cuda).numpy()
        return buffer

    @torch.inference_mode()
    def __call__(self, observations: Floats, legal_mask: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        device, dtype = self._weight.device, self._weight.dtype
        if (device, dtype) != self._prepared:  # moved or converted since
            self._prepare(device, dtype)
        inputs = torch.from_numpy(whole_rows(self.network, observations))
        if device.type == "cpu":
            logits, values = self._forward(inputs)
        elif device.type == "cuda":
            logits, values = self._gpu.run(device, self._page_locked(inputs), self._forward)
        else:
            logits, values = (part.float().cpu() for part in self._forward(inputs.to(device)))
        return logits.float().numpy(), values.float().numpy()

    def _page_locked(self, inputs: Tensor) -> Tensor:
        # the inputs themselves if the caller wrote them into `observation_buffer`, otherwise a copy there
        return inputs if inputs.is_pinned() else self._buffers.observations(len(inputs), True).copy_(inputs)


class OnnxEvaluator:
    """Rates positions by a `ResidualMLP` on the CPU through onnxruntime. Several threads may call it at once.

    Entering the ``with`` block writes the graph from the weights as they are then, as `refresh` does at any time.
    Calls do not see later changes. With "int8" every batch has its own range of activations. So a row's result depends
    a little on the other rows, and on how games are divided among callers.

    Args:
        network: The network. It is not copied, and its weights may be on any device.
        precision: "int8" (weights with a scale per output, activations quantized dynamically) or "fp32".
            Default: "int8".

    Raises:
        ValueError: The precision is unknown, or the network is not a `ResidualMLP` with its forward and layers.
        ModuleNotFoundError: The packages of the extra ``onnx`` are missing.
    """

    def __init__(self, network: PolicyValueNetwork, precision: str = "int8") -> None:
        self.network = network
        self.precision = _one_of("precision", precision, ONNX_PRECISIONS)
        self.condition_size = network.condition_size
        """Columns behind an observation, for what the network is told besides. Rows may come without them."""
        self._buffers = _Buffers(network.observation_size + network.condition_size)
        self.refresh()

    def refresh(self) -> None:
        """Takes the weights as they are now. Calls under way finish with the old ones."""
        try:
            import onnxruntime

            from lit_trainer.networks.onnx_graph import CONDITION, INPUT, LOGITS, VALUE, residual_mlp_graph
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"{error}; OnnxEvaluator needs: pip install 'lit-alphazero[onnx]'") from error
        model = residual_mlp_graph(self.network, self.precision == "int8")
        if model is None:
            given = type(self.network).__name__
            raise ValueError(
                f"network: {given} given, expected a ResidualMLP with its own forward and layers; TorchEvaluator runs "
                "every network"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # the calling thread does all the work
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        run = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run
        size, told = self.network.observation_size, self.network.condition_size

        def run_rows(rows: Floats) -> tuple[Floats, Floats]:
            inputs = {INPUT: rows[:, :size], CONDITION: rows[:, size:]} if told else {INPUT: rows}
            logits, values = run((LOGITS, VALUE), inputs)
            return logits, values

        self._run = run_rows

    def __reduce__(self) -> tuple[type[Self], tuple[PolicyValueNetwork, str]]:
        return type(self), (self.network, self.precision)

    def __enter__(self) -> Self:
        self.refresh()
        return self

    def __exit__(self, *exception: Any) -> None:
        pass

    def observation_buffer(self, rows: int) -> Floats:
        """Returns the calling thread's memory [rows, OBSERVATION_SIZE + condition_size] for observations."""
        buffer: Floats = self._buffers.observations(rows, False).numpy()
        return buffer

    def __call__(self, observations: Floats, legal_mask: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        inputs = whole_rows(self.network, observations)
        if not len(inputs):
            return np.empty((0, self.network.num_actions), np.float32), np.empty(0, np.float32)
        logits, values = self._run(inputs)
        return logits, values


# every kind of evaluator by the name that settings give it
EVALUATORS: MappingProxyType[str, Callable[[PolicyValueNetwork], TorchEvaluator | OnnxEvaluator]] = MappingProxyType(
    {
        "torch": TorchEvaluator,
        "torch_bf16": lambda network: TorchEvaluator(network, "bf16"),
        "onnx_fp32": lambda network: OnnxEvaluator(network, "fp32"),
        "onnx_int8": lambda network: OnnxEvaluator(network, "int8"),
    }
)


def make_evaluator(network: PolicyValueNetwork, kind: str = "torch") -> TorchEvaluator | OnnxEvaluator:
    """Returns an evaluator of a network.

    Args:
        network: The network. It is not copied.
        kind: A name of `EVALUATORS`. Default: "torch".

    Raises:
        ValueError: The kind is unknown, or does not support the network.
        ModuleNotFoundError: The packages that the kind needs are missing.
    """
    return EVALUATORS[_one_of("evaluator", kind, tuple(EVALUATORS))](network)
