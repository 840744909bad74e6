"""Has nothing for Python: endgame.pxd declares its C functions, which `GameHandle.solve` calls."""
