"""Policy-value networks, and the ways to evaluate them fast."""
