"""Compares the evaluators' speed with that of their matrix products alone: ``python benchmarks/evaluators.py``."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

import jsonargparse
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from lit_trainer import ResidualMLP, make_evaluator
from lit_trainer.networks.evaluators import EVALUATORS
from lit_trainer.networks.kernels import kernels_for
from lit_trainer.networks.residual_mlp import weights_of

Call = Callable[[], object]
ROOFLINE = "matrix products alone, torch.mm"


def products(network: ResidualMLP, rows: int, multiply: Callable[[Tensor, Tensor, Tensor], object]) -> Call:
    """Returns a call that does only the network's matrix products. `multiply` gets input, weight and output."""
    layers = [module.weight for module in network.modules() if isinstance(module, torch.nn.Linear)]
    work = [(torch.randn(rows, w.shape[1]), w.detach().clone(), torch.empty(rows, w.shape[0])) for w in layers]

    def call() -> None:
        with torch.inference_mode():
            for x, weight, out in work:
                multiply(x, weight, out)

    return call


def eager(network: ResidualMLP, observations: np.ndarray) -> object:
    with torch.inference_mode():
        logits, values = network(torch.from_numpy(observations))
        return logits.numpy(), values.numpy()


def own_products(network: ResidualMLP) -> Callable[[int], Call]:
    """Returns rows to a call of the matrix products alone, by the library that the `torch` evaluator uses, in fp32."""
    weights = weights_of(network)
    kernels = kernels_for(torch.device("cpu"), torch.float32)
    bias = {layer.weight.shape: layer for layer in (weights.stem, weights.policy, weights.value_hidden, weights.value)}
    bias |= {block.inner.weight.shape: block.inner for block in weights.blocks}
    return lambda rows: products(network, rows, lambda x, w, _: kernels.linear(x, bias[w.shape]))


def forms(network: ResidualMLP) -> dict[str, Callable[[int], Call]]:
    """Returns the names of what is measured, each with rows to the call that one thread repeats."""

    def evaluator(kind: str) -> Callable[[int], Call]:
        evaluate = make_evaluator(network, kind)

        def prepare(rows: int) -> Call:
            observations = evaluate.observation_buffer(rows)
            observations[:] = np.random.default_rng(rows).random(observations.shape)
            legal = np.ones((rows, network.num_actions), dtype=bool)
            return lambda: evaluate(observations, legal)

        return prepare

    def eagerly(rows: int) -> Call:
        observations = np.random.default_rng(rows).random((rows, network.observation_size), dtype=np.float32)
        return lambda: eager(network, observations)

    return {
        ROOFLINE: lambda rows: products(network, rows, lambda x, w, out: torch.mm(x, w.t(), out=out)),
        "matrix products alone, the evaluator's own": own_products(network),
        "the module's forward": eagerly,
        **{kind: evaluator(kind) for kind in EVALUATORS},
    }


def rate(prepare: Callable[[int], Call], rows: int, threads: int, seconds: float) -> float:
    """Returns the rows per second of all threads together, each on one core."""
    counts = [0] * threads
    start = threading.Barrier(threads + 1)
    times = [0.0] * threads

    def work(k: int) -> None:
        torch.set_num_threads(1)
        call = prepare(rows)
        call()
        start.wait()
        began = now = time.perf_counter()
        while now - began < seconds:
            call()
            counts[k] += rows
            now = time.perf_counter()
        times[k] = now - began

    workers = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    for worker in workers:
        worker.join()
    return sum(count / took for count, took in zip(counts, times, strict=True))


def main(
    width: int = 256,
    blocks: int = 4,
    batches: list[int] = [256, 512, 1024],  # noqa: B006
    threads: list[int] = [1, 2],  # noqa: B006
    runs: int = 7,
    seconds: float = 0.15,
) -> None:
    """Measures every evaluator in turn, `runs` times, and prints medians of rows per second.

    Args:
        width: Width of the residual MLP.
        blocks: Blocks of the residual MLP.
        batches: Numbers of rows per call.
        threads: Numbers of calling threads, each with one of torch's.
        runs: Number of runs. Their median is shown, and the median of their shares of the roofline.
        seconds: Seconds of each measurement.
    """
    torch.manual_seed(0)
    network = ResidualMLP(width=width, blocks=blocks).eval()
    table = Table(title=f"Thousands of rows per second (share of torch.mm's), {width} wide, {blocks} blocks")
    table.add_column("what")
    columns: list[dict[str, str]] = []
    for count in threads:
        for rows in batches:
            table.add_column(f"{count} x {rows}", justify="right")
            rates: dict[str, list[float]] = {}
            for _ in range(runs):
                for name, prepare in forms(network).items():
                    rates.setdefault(name, []).append(rate(prepare, rows, count, seconds))
            cells = {}
            for name, found in rates.items():
                share = statistics.median(a / b for a, b in zip(found, rates[ROOFLINE], strict=True))
                cells[name] = f"{statistics.median(found) / 1000:,.0f} ({share:.2f})"
            columns.append(cells)
    for name in columns[0]:
        table.add_row(name, *(cells[name] for cells in columns))
    Console(width=140).print(table)


if __name__ == "__main__":
    jsonargparse.auto_cli(main)
