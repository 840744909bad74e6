"""Seeds by purpose: fixed for ever, and none like another."""

from __future__ import annotations

import os
import subprocess
import sys

from lit_trainer.utils.seeding import derive_seed


def test_seeds_are_those_of_earlier_runs() -> None:
    """Fails if an update of this project changes the games of a repeated run."""
    assert derive_seed(42, "self-play", 0, 0) == 8206201278197913761
    assert derive_seed(0) == 4246866556266386882
    assert derive_seed(42, "worker", 3, 0, 1, 7) == 4290495513415913951


def test_no_two_purposes_share_a_seed() -> None:
    """Fails if parts run together, such as 1, 23 and 12, 3."""
    purposes = [
        (seed, name, first, second)
        for seed in (0, 1, 2**63)
        for name in ("self-play", "evaluation", "self", "")
        for first in (0, 1, 12, 123, "1")
        for second in (0, 3, 23)
    ]
    texts = {tuple(map(str, purpose)) for purpose in purposes}
    seeds = {derive_seed(*purpose) for purpose in purposes}
    assert len(seeds) == len(texts)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_another_process_derives_the_same() -> None:
    """Fails if a seed uses Python's hash of a text, which differs between processes."""
    code = "from lit_trainer.utils.seeding import derive_seed; print(derive_seed(42, 'self-play', 1))"
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == derive_seed(42, "self-play", 1)
