"""Conditioning of the language model: text, melody, style, tempo."""
