"""Has nothing for Python: sampling.pxd declares its C functions, which the runner calls."""
