"""Worker processes that play while the trainer learns."""
