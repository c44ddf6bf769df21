"""The token language model and its conditions."""

from engine.lm.conditions import Conditions
from engine.lm.model import LanguageModel
from engine.lm.state import LMState

__all__ = ["Conditions", "LMState", "LanguageModel"]
