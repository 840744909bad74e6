"""Shows results: tables, plots, reports, and the callbacks that print, draw and log them."""

from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # files written before the move name classes of this package
    from lit_trainer.old_paths import old_names

    __getattr__ = old_names(__name__)
