"""Measures players: matches, intervals, ratings, move times and analyses."""
