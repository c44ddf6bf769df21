"""Codecs: audio to codes and back, whole and streamed."""
