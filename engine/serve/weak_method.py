"""Bound methods that do not keep their object alive, so that it is freed as soon as it is released."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar
from weakref import WeakMethod

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def weakly(method: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Call a bound method as long as its object lives; ReferenceError after that.  [any]"""
    reference = WeakMethod(method)

    def call(*given: Given.args, **named: Given.kwargs) -> Answer:
        found = reference()
        if found is None:
            raise ReferenceError("the object of this method is gone")
        return found(*given, **named)

    return call
