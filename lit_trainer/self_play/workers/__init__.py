"""Runs worker processes, which play while the trainer learns."""
