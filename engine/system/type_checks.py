"""Refuses arguments of a wrong type, in a sentence with the given and the allowed type."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from operator import index
from typing import cast

from torch import Tensor


def must_be_number(**given: object) -> None:
    """TypeError for the first argument that is no number; None (the model's default) passes.  [any]"""
    for name, value in given.items():
        single = isinstance(value, Tensor) and value.numel() == 1
        if not (value is None or single or isinstance(value, Real)):
            raise TypeError(f"{name} is {_shown(value)}, must be a number")


def must_be_whole(**given: object) -> None:
    """TypeError for the first argument that is no whole number (numpy's pass); None passes.  [any]"""
    for name, value in given.items():
        try:
            index(0 if value is None else value)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(f"{name} is {_shown(value)}, must be a whole number") from None


def must_be_list(name: str, value: object, kind: type, of: str) -> None:
    """TypeError if `value` is no list of `kind` or None; `of` names the kind.  [any]"""
    if isinstance(value, (str, bytes, dict)) or not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        raise TypeError(f"{name} is {_shown(value)}, must be a list of {of}")
    for one in cast("Iterable[object]", value):
        if not (one is None or isinstance(one, kind)):
            raise TypeError(f"{name} has {_shown(one)} in it, must be a list of {of}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
