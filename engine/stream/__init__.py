"""Token streams with rolling windows, and lanes that advance together."""

from engine.stream.lanes import LaneBatch
from engine.stream.tokens import StreamSettings, TokenStream
from engine.stream.window import Window, WindowSize

__all__ = ["LaneBatch", "StreamSettings", "TokenStream", "Window", "WindowSize"]
