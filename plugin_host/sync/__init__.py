"""The time of a host without a DAW: from MIDI clock, JACK, Ableton Link, taps, OSC, or its own clock.

    source --Reading--> leader (one at a time) --Reading--> follower --changes--> the host's timeline
    the host's timeline --> MIDI clock out, Link

A source only reports which beat sounds at which second; nothing here runs on the audio thread.
"""
