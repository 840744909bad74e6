SPECIES: tuple[tuple[str, str, int], ...]
"""Letter, name and points of each animal, from the strongest to the weakest."""
LETTERS: str
"""Letters of the animals, from the strongest to the weakest."""
ACTIONS: tuple[str, ...]
"""Text of each action, by id (docs/notation.md)."""
