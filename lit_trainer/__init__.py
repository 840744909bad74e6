"""AlphaZero on PyTorch Lightning: network, loss, self-play data, opponents, evaluation and the command line.

Every public name has one line in ``__init__.pyi``. It is imported when it is first used, so playing imports no Lightning.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
