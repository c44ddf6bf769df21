"""What the engine and everything on the DAW's side agree on. Standard library and numpy only.

Reading order:

    errors.py       the error tree and the code words on the wire
    units.py        beats, seconds, samples, codec frames, bars: exact, in inverse pairs
    transport.py    where the host is: the grid of samples and beats, and the snapshot a block carries

    control, over OSC (docs/osc.md is made from the table by docs.py, its prose is in docs_text.py)
    messages.py     THE table of messages; arguments.py is what its rows are made of, and the one check
    params.py       the table of lane parameters; presets.py reads presets, which are rows of it
    packet.py       bytes to messages and back; strict
    endpoint.py     the engine's UDP socket and its thread [control]; door.py opens it, limits.py guards it
    dispatch.py     from a message to its answer; clients.py knows who asks, requests.py how it is answered
    region.py       music handed over: checks; region_file.py reads it, transfer.py puts chunks together

    sound, over shared memory (docs/shared_memory.md)
    layout.py, words.py, shm.py     byte layout, counters, segments
    ring_form.py, ring_writer.py, ring_reader.py, ring_listener.py, ring.py, transport_block.py

    tools for all, `engine` too: whole_file.py writes, sound_file.py reads, plain.py prints what strangers named,
    dependencies.py tells which library does not load, compiler.py and bus.py compile and watch mappings

Nothing in here imports `engine`, `plugin_host` or torch, and importing opens nothing.
"""
