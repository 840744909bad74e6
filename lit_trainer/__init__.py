"""AlphaZero on PyTorch Lightning: network, loss, self-play data, opponents, evaluation and the command line.

Every public name has one line in ``__init__.pyi``. It is imported when it is first used, so that playing imports no
Lightning.
"""

from lazy_loader import attach_stub

from lit_trainer import old_paths

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

old_paths.install()  # files written before a move name classes by their old places
