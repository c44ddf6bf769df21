"""Executors take the steps of a language model: PyTorch, ONNX Runtime, native code, a GPU."""
