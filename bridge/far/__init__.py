"""A lane on another machine: the frames of the connection, its certificates, and the two ends of a ring.

    engine's machine                                     musician's machine
    engine --ring--> RingSource ==frames, TLS 1.3==> RingCopy --ring--> DAW, Max, plugin

Reading order: certificates, frames, ring_source, ring_copy.
"""
