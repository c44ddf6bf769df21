"""A lane's parameters as what the token stream takes, and its region as the prompt to go on from."""

from __future__ import annotations

from engine.guidance import Guidance
from engine.model import LoadedModel
from engine.sampling import Sampling
from engine.serve.place import Place
from engine.serve.settings import LaneSettings
from engine.stream import StreamSettings, WindowSize


def stream_settings(
    model: LoadedModel, settings: LaneSettings, place: Place, prompt_frames: int
) -> StreamSettings:
    """How a stream at `place` samples, is guided and ends; values not set are the model's own.  [generate]"""
    values = settings.values
    beta = values.get("cfg_beta", 0.0)
    frames = place.frames_to_end()
    return StreamSettings(
        Sampling(
            temperature=values.get("temperature", 1.0),
            top_k=min(int(values.get("top_k", 250)), model.lm.config.card),
            top_p=values.get("top_p", 0.0),
        ),
        Guidance(values.get("cfg", model.cfg_coef), beta if beta > 0 else None),
        WindowSize(model.window_frames, model.stride_frames),
        None if frames is None else prompt_frames + max(1, frames),
    )
