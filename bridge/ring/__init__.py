"""The ring between engine and host: shared memory, float32 blocks with their position on the timeline.

    writer.py     the engine creates a ring and writes it
    reader.py     its one host reads it by position
    listener.py   any other reader, which moves no counter
    form.py, slots.py, fields.py, layout.py   shared by these
    transport_block.py   the host's transport, which it writes into the same segment

Counters only grow, each on the cache line of the side that writes it. Bytes: docs/shared_memory.md.
"""
