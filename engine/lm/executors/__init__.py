"""Executors take a language model's steps: in PyTorch, ONNX Runtime, native code, or on a GPU for all windows at once.

    loaded model --> select.choose(lm, bits) --> Executor, held by the loaded model
                                                    ^ windows, streams and lanes call it; none depends on which it is

    base.py               the protocol: the interface to streams, and a window's state in an executor
    select.py             the choice of an executor, made only there
    basic.py              the shared base: caches, prompts, forks, one state after the other, drawing on the host
    torch_executor.py     PyTorch          fused.py, packed.py: few operations, half-precision matrices packed once
    onnx_executor.py      ONNX Runtime     onnx_graph.py: a step as a graph
    native_executor.py    C++              native_weights.py, native/: its weights, the library; all states in one call
    device/               a GPU            all windows in one set of buffers, replayed as a graph

    half_prefill.py       prefill in bfloat16              known.py           inputs computed before a window's steps
    cache_scales.py       scales of an 8-bit cache         native_draw.py     guidance and sampling in one native call
    fidelity.py           differences between two executors' logits

Executors import `engine.lm`, which imports none of them: a `LanguageModel` is weights, run whole or with a cache.
"""
