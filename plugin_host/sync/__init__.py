"""Where a host without a DAW gets its time from: MIDI clock, JACK, Ableton Link, taps, OSC, or itself.

    source --Reading--> leader (one at a time) --Reading--> follower --changes--> the host's timeline
    the host's timeline --> MIDI clock out, Link

A source only says which beat sounds at which second; nothing here runs on the audio thread.
"""
