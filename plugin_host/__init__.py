"""The host's side: players, plugin, clients and commands. Imports bridge only: no engine, no torch.

    console/      lines on the screen; atomic files
    playback/     process(out, transport): reads the ring by position, repeats bars, rejoins, fades   [audio]
    client/       the engine's client: calls, replies, lane sessions, the engine as a child process    [main]
    host/         a DAW without a window: timeline, clip, clock, sound card, JACK
    plugin/       the DAW plugin in C++: src/, build.py, install.py
    sync/         the leader that a host follows: MIDI clock, JACK, Ableton Link, taps, OSC
    run/          a run from start to the last bar: the region's position and tempo, the performance, the report
    doctor/, bench/, demo/, takes/   the commands of the same names
    panel/        `segue panel`: a page in the browser that shows and plays a running engine
    cli/          the command line, `segue`
    scripts/      actions for Ardour and REAPER, in Lua

Each folder imports those above it. A native plugin has the parts of client/, playback/ and sync/, in the same order.
"""
