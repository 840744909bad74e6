from sim_core.game import GameHandle
from sim_core.tree_search.settings import SearchSettings

class Trees:
    """Holds the trees of up to `slots` games. A slot's tree is begun anew for every move, in the same memory.

    A search of a slot: `begin` makes the root the first leaf, which the caller lets the network evaluate. `absorb`
    takes the answer. Then `run` is called until it returns False. Each time it returns True, another leaf (`leaf_at`)
    is to be evaluated and absorbed. At the end `finish` gives the result. Slots share nothing that is written, so the
    threads of one search or runner may work on different slots. A second search or runner is refused meanwhile.

    Args:
        game: Name of the game.
        slots: Most games at once, up to 100,000,000.
        simulations: Most simulations per search, 1 to 1,000,000.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """

    handle: GameHandle
    """The game that is played."""
    slots: int
    """Most games at once."""
    capacity: int
    """Most simulations per search."""
    def __init__(self, game: str, slots: int, simulations: int) -> None: ...
    @property
    def nbytes(self) -> int:
        """Returns the bytes of all trees together, if every simulation of every slot expanded the most it can."""
    def configure(self, settings: SearchSettings, simulations: int) -> None:
        """Sets the settings of the searches that begin from now on.

        Args:
            settings: `SearchSettings`.
            simulations: Simulations per search, at most those that the trees were made for.

        Raises:
            ValueError: There is no room for these simulations.
            RuntimeError: Another thread uses the trees now.
        """
