"""Graphs for ONNX Runtime, built from a loaded model's weights on demand; nothing is exported to a file."""
