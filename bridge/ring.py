"""The ring between engine and host: shared memory, float32 blocks that know their place on the timeline.

    RingWriter     the engine makes it and writes                 ring_writer.py
    RingReader     the one host that plays it reads by position   ring_reader.py
    RingListener   anyone who listens in, moving no counter       ring_listener.py
    RingForm, Plan what they share                                ring_form.py, ring_slots.py

Counters only grow, each on the cache line of the side that writes it. Bytes: docs/shared_memory.md.
"""

from bridge.layout import ENDLESS_SAMPLES
from bridge.ring_form import Audio, Plan, RingForm
from bridge.ring_listener import RingListener
from bridge.ring_reader import RingCounters, RingReader
from bridge.ring_writer import RingWriter, capacity_for

__all__ = [
    "ENDLESS_SAMPLES",
    "Audio",
    "Plan",
    "RingCounters",
    "RingForm",
    "RingListener",
    "RingReader",
    "RingWriter",
    "capacity_for",
]
