SPECIES: tuple[tuple[str, str, int], ...]
LETTERS: str
ACTIONS: tuple[str, ...]
