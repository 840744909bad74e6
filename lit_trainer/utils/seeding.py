"""Derives random seeds from the run's seed and the purpose of each, never from global state."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *parts: str | int) -> int:
    """Returns a seed of 63 bits for one purpose, e.g. ``derive_seed(42, "self-play", iteration, rank)``.

    Args:
        seed: The run's random seed.
        parts: Name of the purpose, and numbers that tell its streams apart.

    >>> derive_seed(42, "self-play", 0) == derive_seed(42, "self-play", 0)
    True
    >>> derive_seed(42, "self-play", 0) == derive_seed(42, "self-play", 1)
    False
    """
    text = "\x1f".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
