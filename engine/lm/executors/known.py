"""Data that CPU executors compute once for a state: known inputs, and the memory layout of cross keys and values."""

from __future__ import annotations

from torch import Tensor

from engine.lm.conditions import Conditions
from engine.lm.model import LanguageModel
from engine.lm.state import LMState


def renew_known(lm: LanguageModel, known: Tensor, conditions: Conditions, first_row: int) -> None:
    """Update a state's known inputs [R, S, D] to its changed frame features from a row on.  [generate]"""
    if conditions.frames is not None:
        rows, n_steps, _ = known.shape
        known[:, first_row:] = lm.known_inputs(conditions, n_steps, rows)[:, first_row:]


def lie_row_by_row(state: LMState) -> None:
    """Make a state's cross keys and values contiguous, for code that uses their addresses.  [generate]"""
    if state.cross_kv is not None:
        state.cross_kv = [(keys.contiguous(), values.contiguous()) for keys, values in state.cross_kv]
