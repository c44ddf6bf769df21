"""The contract between the engine and its hosts and clients. Standard library and numpy only.

    errors.py     the error tree, and the code words on the wire
    system/       tools for all packages: text for a terminal, atomic files, missing libraries, the compiler
    time/         beats, seconds, samples, bars: exact, in inverse pairs; the transport; tempo maps; tap tempo
    control/      OSC: the table of messages, packets, the UDP endpoint, clients, limits, parameters, presets
    ring/         shared memory: byte layout, the ring's writer, reader and listeners, the transport block
    region/       the user's music: checks, files, tempo, transfer in chunks, captures of a plugin

Each folder imports those above it. `docs/osc.md` is generated from the table in control/messages.py, the C header
ring/segue_ring.h and the tables of `docs/shared_memory.md` from ring/layout.py.

No module here imports `engine`, `plugin_host` or torch, and importing opens nothing.
"""
