"""The versions and the machine that something was measured with."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    pass


def environment() -> dict[str, Any]:
    """When and with what something was measured."""
    try:
        own = version("lit-alphazero")
    except PackageNotFoundError:  # run from sources that are not installed
        own = None
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "lit_alphazero": own,
        "torch": str(torch.__version__),
        "cpus": os.cpu_count(),
    }
