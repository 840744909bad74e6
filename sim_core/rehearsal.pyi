from sim_core.game import GameHandle

def rehearse(handle: GameHandle, games: int) -> None:
    """Plays games, every other one by a built-in opponent. Raises ValueError for what breaks the game's contract."""
