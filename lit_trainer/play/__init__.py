"""Seeing and playing an agent: games in the terminal (`lit-trainer play`) and on a page (`lit-trainer web`)."""

from lit_trainer.play.record import PERSON, Record
from lit_trainer.play.session import Session
from lit_trainer.play.thinkers import Thinker, Thought, make_thinker

__all__ = ["PERSON", "Record", "Session", "Thinker", "Thought", "make_thinker"]
