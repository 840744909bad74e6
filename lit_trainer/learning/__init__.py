"""What Lightning trains with: the module, its loss, the data module, replay, resuming and stopping."""
