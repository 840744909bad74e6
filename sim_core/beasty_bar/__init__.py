"""Plays Beasty Bar for two players: rules, notation, built-in opponents and the exact endgame."""
