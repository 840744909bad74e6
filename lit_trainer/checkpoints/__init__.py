"""Reads and writes checkpoints and exported weights, and refuses files that do not fit."""
