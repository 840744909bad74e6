"""Lets a person play agents: in the terminal (`lit-trainer play`) and on a page in a browser (`lit-trainer web`)."""

from lit_trainer.play.saved_game import PERSON, SavedGame
from lit_trainer.play.session import Session
from lit_trainer.play.thinkers import Thinker, Thought, make_thinker

__all__ = ["PERSON", "SavedGame", "Session", "Thinker", "Thought", "make_thinker"]
