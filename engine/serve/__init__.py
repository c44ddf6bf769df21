"""The engine as a process: OSC in, lanes of music out.

Reading order: options, server, front, desk, settings, lane, studio, director, follow, player, place, chain; then how
models come and go: state, loader, loading, room, warm, change, heir.
"""
