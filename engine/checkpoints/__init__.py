"""Published checkpoints: read without executing their contents, checked to the last tensor, converted once.

Reading order: nodes, pickle_reader, torch_zip, convert (a child process), cache, names, weights, config*,
find, load. Importing this package loads no torch: the child process must not.
"""
