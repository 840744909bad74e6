from sim_core.beliefs import Beliefs
from sim_core.game import GameHandle
from sim_core.runner_settings import RunnerSettings

def unknown_plays(probability: float, legal: int) -> float:
    """Returns how likely an opponent that is none of the known ones plays an action in a position.

    Args:
        probability: How likely the network of whoever infers plays it there.
        legal: Number of legal actions.
    """

class Expectations:
    """Holds the expectations of the learners in up to `slots` games.

    Args:
        handle: The game.
        slots: Most games at once.
        settings: `RunnerSettings`, of which the model and the known opponents are read.

    Raises:
        ValueError: The game has no such opponent, or nothing by which to tell opponents apart.
    """

    beliefs: Beliefs | None
    """About the other side's hidden cards, by slot. None: nothing is hidden, or nothing is told."""

    def __init__(self, handle: GameHandle, slots: int, settings: RunnerSettings) -> None: ...
