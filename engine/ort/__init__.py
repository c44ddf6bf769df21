"""Graphs for ONNX Runtime, made of a loaded model's weights when they are needed; nothing is exported to a file."""
