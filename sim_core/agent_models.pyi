from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sim_core.game import GameHandle
from sim_core.protocols import AgentModel

class AgentModels:
    """Numbers opponents that search and beliefs may expect, agents among them, and asks these agents.

    An agent's number is that of no other agent in the process, so that values which are remembered by it stay true.

    Args:
        handle: The game.
    """

    def __init__(self, handle: GameHandle) -> None: ...
    def numbers(self, opponents: Iterable[str | AgentModel | None]) -> NDArray[np.int32]:
        """Returns the number of each opponent, int32 [k]. An agent that is new gets the next number.

        Args:
            opponents: For each, the name of a built-in one, an `AgentModel`, or None: it is unknown (number -1).

        Raises:
            ValueError: The game has no opponent of this name.
        """
