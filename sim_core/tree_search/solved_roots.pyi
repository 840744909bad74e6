"""Has nothing for Python: solved_roots.pxd declares its C functions, which `GameHandle.optimal_actions` calls."""
