"""Everything that chooses a move: networks, engine opponents, Python agents, and the pools they come from."""
