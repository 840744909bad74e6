from sim_core.beliefs import Beliefs
from sim_core.game import GameHandle

class Expectations:
    """Holds the expectations of the learners in up to `slots` games.

    Args:
        handle: The game.
        slots: Most games at once.
        opponent_model: See `RunnerSettings`.

    Raises:
        ValueError: The game has no such opponent, or nothing by which to tell opponents apart.
    """

    beliefs: Beliefs | None
    """About the other side's hidden cards, by slot. None: nothing is hidden, or nothing is told."""

    def __init__(self, handle: GameHandle, slots: int, opponent_model: str) -> None: ...
