"""Names the versions and the machine that something was made or measured with."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch


def versions() -> dict[str, str | None]:
    """Returns the versions of this library and of torch. None: this library runs from sources, uninstalled."""
    try:
        own = version("lit-alphazero")
    except PackageNotFoundError:
        own = None
    return {"lit_alphazero": own, "torch": str(torch.__version__)}


def environment() -> dict[str, Any]:
    """Returns when and with what something was measured: date (UTC), versions, number of CPUs."""
    return {"date": datetime.now(UTC).isoformat(timespec="seconds"), **versions(), "cpus": os.cpu_count()}
