"""The device that a model runs on, by name, checked to exist."""

from __future__ import annotations

import torch

from engine.errors import EngineError


def pick_device(name: str) -> str:
    """An existing device; `auto` prefers a GPU. EngineError names the available ones.  [any]"""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = ["cpu"] + [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        there.append("mps")
    also = ["cpu:0", *(f"{one}:0" for one in there if one == "mps"), *(["cuda"] if "cuda:0" in there else [])]
    if name in (*there, *also):  # as torch names them
        return name
    raise EngineError(f"there is no device '{name[:100]}'; there is: {', '.join(there)}")
