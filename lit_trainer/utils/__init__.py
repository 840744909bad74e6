"""Small helpers that know nothing of games or networks: checks, seeds, files, memory, watches."""
