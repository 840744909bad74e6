from sim_core.game import GameHandle
from sim_core.tree_search.settings import SearchSettings

def considered_visits(considered: int, simulations: int) -> list[int]: ...

class Trees:
    """The trees of up to `slots` games at once; a slot's tree is begun anew for every move, in the same memory."""

    handle: GameHandle
    slots: int
    capacity: int
    def __init__(self, game: str, slots: int, simulations: int) -> None: ...
    @property
    def nbytes(self) -> int: ...
    def configure(self, settings: SearchSettings, simulations: int) -> None: ...
