from typing import NamedTuple

class Opponent(NamedTuple):
    """Describes a built-in opponent. Its number is its place in `TABLE`."""

    name: str
    scoring: str
    """What it scores an action by, in the words of docs/opponents.md."""
    is_default: bool
    """Whether opponent pools hold it where their opponents are not named."""

TABLE: tuple[Opponent, ...]
OPPONENTS: tuple[str, ...]
"""Names of all built-in opponents, by number."""
DEFAULT_OPPONENTS: tuple[str, ...]
"""Names of those that opponent pools hold where their opponents are not named."""
