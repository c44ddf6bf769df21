"""A step of the language model in C++, for x86 CPUs with AVX-512 and VNNI, bound by the memory's bandwidth.

    build.py      compiles the library; run when Segue is installed, if there is a compiler
    library.py    loads it, and defines its structures
    step.cpp      the phases of a step       products.h, inputs.h   matrices, and what they are multiplied with
    attention.h   over the cache             vectors.h              exp, GELU, LayerNorm
    phase.cpp     a hop of the embedded codec's phase reconstruction, with fourier.h
    pool.h        its threads                processor.cpp          whether it runs here

`engine.lm.executors.native_executor` hands a model and its states to it.
"""
