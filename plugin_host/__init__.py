"""What runs on the DAW's side. Imports bridge only: no engine, no torch.

    console/      lines on the screen; files that are there whole or not at all
    playback/     process(out, transport) and its parts: reads the ring by position, holds, rejoins, fades   [audio]
    client/       the engine as a client sees it: calls, replies, lane sessions, the engine as a child        [main]
    host/         a DAW without a window: timeline, clip, clock, sound card, JACK
    plugin/       the DAW plugin in C++: src/, build.py, install.py
    sync/         whose time is followed: MIDI clock, JACK, Ableton Link, taps, OSC
    run/          a run from go to the last bar: where the region lies, its tempo, the performance, the report
    doctor/, bench/, demo/, takes/   what the commands of the same names do
    cli/          the command line, `segue`
    scripts/      actions for Ardour and REAPER, in Lua

Each folder imports those above it. A native plugin does what client/, playback/ and sync/ do, in the same order.
"""
