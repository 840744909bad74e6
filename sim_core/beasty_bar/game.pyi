from sim_core.beasty_bar.notation import Fields

OBSERVATION_LAYOUT: tuple[tuple[str, int], ...]
"""Meaning and size of each part of an observation, in order."""

def unpack(state: bytes) -> Fields:
    """Converts the engine's state to a position's fields."""
def score_as(state: bytes, scoring: str) -> tuple[tuple[int, int], int | None]:
    """Scores a position by either scoring, also by the one that its game does not use.

    Args:
        state: Packed state.
        scoring: "points" or "animals".

    Returns:
        The scores of players 0 and 1, and the winner. None: a draw.

    Raises:
        ValueError: There is no such scoring, or the bytes are no position.
    """
