"""Tree search over batches of games: with a network, or with random rollouts (`ismcts`)."""
