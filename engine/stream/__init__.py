"""Token streams with rolling windows, lanes, the resampler; read window, tokens, lanes, resample."""

from engine.stream.lanes import LaneBatch
from engine.stream.tokens import StreamSettings, TokenStream
from engine.stream.window import Window, WindowSize

__all__ = ["LaneBatch", "StreamSettings", "TokenStream", "Window", "WindowSize"]
