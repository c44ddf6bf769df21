"""The ring between engine and host: shared memory, float32 blocks that know their place on the timeline.

    writer.py     the engine makes a ring and writes it
    reader.py     the one host that plays it reads by position
    listener.py   anyone who listens in, moving no counter
    form.py, slots.py, fields.py, layout.py   what they share
    transport_block.py   where the host is, written by it into the same segment

Counters only grow, each on the cache line of the side that writes it. Bytes: docs/shared_memory.md.
"""
