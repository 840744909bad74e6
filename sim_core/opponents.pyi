OPPONENTS: tuple[str, ...]
