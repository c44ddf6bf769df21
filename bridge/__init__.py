"""What the engine and everything on the DAW's side agree on. Standard library and numpy only.

    errors.py     the error tree, and the code words on the wire
    system/       tools for all packages: text fit for a terminal, whole files, missing libraries, the compiler
    time/         beats, seconds, samples, bars: exact, in inverse pairs; where the host is; tempo maps; tap tempo
    control/      OSC: THE table of messages, packets, the UDP endpoint, clients, limits, parameters, presets
    ring/         shared memory: byte layout, the ring's writer, reader and listeners, the host's transport
    region/       music handed over: checks, files, tempo, transfer in chunks, captures of a plugin

Each folder imports those above it. `docs/osc.md` is made from the table in control/messages.py, the C header
ring/segue_ring.h and the tables of `docs/shared_memory.md` from ring/layout.py.

Nothing in here imports `engine`, `plugin_host` or torch, and importing opens nothing.
"""
