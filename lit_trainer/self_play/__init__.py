"""Plays the learner's games, in this process or in workers, and returns the positions to learn from."""
