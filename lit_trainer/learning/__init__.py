"""Trains with Lightning: the module and its loss, the data module, the replay window, resuming and stopping."""
