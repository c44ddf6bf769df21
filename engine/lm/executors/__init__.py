"""Executors take a language model's steps: in PyTorch, ONNX Runtime, native code, or on a GPU for all windows at once.

    loaded model --> select.choose(lm, bits) --> Executor, held by the loaded model
                                                    ^ windows, streams and lanes call it; nobody asks which one it is

    base.py               the protocol: all that streams ask of an executor, and what a window is to it
    select.py             which one: decided there alone
    basic.py              what they share: caches, prompts, forks, one state after the other, drawing on the host
    torch_executor.py     PyTorch          fused.py, packed.py: as few operations as it allows, halves laid out once
    onnx_executor.py      ONNX Runtime     onnx_graph.py: a step as a graph
    native_executor.py    C++              native_weights.py, native/: its weights, the library; all states in one call
    device/               a GPU            all windows in one set of buffers, replayed as a graph

    half_prefill.py       prompts read in bfloat16         known.py           inputs worked out before a window's steps
    cache_scales.py       of an 8-bit cache                native_draw.py     guidance and sampling in one native call
    fidelity.py           how far one executor's logits are from another's

Executors import `engine.lm`, which knows none of them: a `LanguageModel` is weights, read whole or with a cache.
"""
