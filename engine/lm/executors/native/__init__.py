"""A step of the language model in C++, for x86 processors with AVX-512 and VNNI: as fast as memory gives the weights.

    build.py      compiles the library; done when Segue is installed, where there is a compiler
    library.py    loads it, and the structures that it takes
    step.cpp      the phases of a step       products.h, inputs.h   matrices, and what they are multiplied with
    attention.h   over the cache             vectors.h              exp, GELU, LayerNorm
    pool.h        its threads                processor.cpp          whether it runs here

`engine.lm.executors.native_executor` hands a model and its states to it.
"""
